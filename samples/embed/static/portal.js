// Embeds the customer's report with Microsoft's powerbi-client, and gives it a new token before the old one ends.

const LONGEST_WAIT = 30; // seconds; a laptop that slept past the moment of renewal notices soon after it wakes up
const FIRST_PAUSE = 5; // seconds until a failed renewal is tried again; twice as long each time,
const LONGEST_PAUSE = 60; // but not longer than this
const { models } = window["powerbi-client"];
const WORDS = {
  TokenExpired: "Your report has ended, because it could not be renewed in time. Please load this page again.",
  LoadReportFailed: "Power BI does not open this report for you.",
  PowerBINotAuthorizedException: "Power BI does not open this report for you.",
};

let renewAt = 0;
let renewals = 0;
let pause = FIRST_PAUSE;
let over = false; // nothing that a further token could mend
start();

async function start() {
  try {
    embed(await newToken());
  } catch (fault) {
    say("failed", fault.message);
  }
}

function embed(issued) {
  const report = window.powerbi.embed(document.getElementById("report"), {
    type: "report",
    tokenType: models.TokenType.Embed,
    accessToken: issued.token,
    id: issued.reportId,
    embedUrl: issued.embedUrl,
    permissions: models.Permissions.Read,
    settings: { panes: { filters: { visible: false } } },
  });
  report.on("loaded", () => say("loaded", "Drawing your report…"));
  report.on("rendered", () => say("rendered", renewalTold(issued)));
  report.on("error", (event) => failed(event.detail));
  plan(report, issued.renewInSeconds);
}

function plan(report, seconds) {
  renewAt = Date.now() + seconds * 1000;
  wait(report);
}

function wait(report) {
  if (over) return undefined;
  const left = (renewAt - Date.now()) / 1000;
  if (left <= 0) return renew(report);
  return setTimeout(() => wait(report), Math.min(left, LONGEST_WAIT) * 1000);
}

/** Without a reload: the report goes on as it is, with what its viewer has selected in it. */
async function renew(report) {
  try {
    const issued = await newToken();
    await report.setAccessToken(issued.token);
    document.body.dataset.renewals = ++renewals;
    say("rendered", renewalTold(issued));
    pause = FIRST_PAUSE;
    plan(report, issued.renewInSeconds);
  } catch (fault) {
    notRenewed(fault instanceof Error ? fault.message : inWords(fault));
    plan(report, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

function notRenewed(sentence) {
  if (over) say("failed", sentence);
  else if (!is("failed")) say("renewalFailing", `${sentence} Trying again.`);
}

/** Power BI's errors by the name that it gives them. One visual's trouble is not the report's end. */
function failed(error) {
  if (is("rendered") && !(error.message in WORDS)) return console.warn(error);
  over = error.message !== "TokenExpired";
  return say("failed", inWords(error));
}

/** From our own back end, which knows by the session whose token it is. Throws an Error with a sentence. */
async function newToken() {
  let answer;
  try {
    answer = await fetch("/embed-token", { method: "POST" });
  } catch {
    throw new Error("The portal can't be reached.");
  }
  const said = await answer.json();
  over ||= answer.status === 401; // the session has ended
  if (!answer.ok) throw new Error(said.error);
  return said;
}

function inWords(error) {
  const words = WORDS[error.message] ?? "The report can't be shown.";
  return `${words} (${error.message} ${error.errorCode}: ${error.detailedMessage})`;
}

function renewalTold(issued) {
  return `Open until ${new Date(issued.expiration).toLocaleTimeString()}, renewed before that without a reload.`;
}

function is(state) {
  return document.body.dataset.state === state;
}

function say(state, sentence) {
  document.body.dataset.state = state;
  document.getElementById("status").textContent = sentence;
}
