// Embeds the customer's report with Microsoft's powerbi-client, and gives it a new token before the old one ends.

const SHORTEST_WAIT = 1; // seconds; whatever the API says of the time until renewal, this page never asks in a loop
const LONGEST_WAIT = 30; // seconds; a laptop that slept past the moment of renewal notices soon after it wakes up
const FIRST_PAUSE = 5; // seconds until a failed renewal is tried again; twice as long each time,
const LONGEST_PAUSE = 60; // but not longer than this
const { models } = window["powerbi-client"];
const WORDS = {
  TokenExpired: "Your report has ended, because it could not be renewed in time.",
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
  report.on("error", (event) => stopped(event.detail));
  plan(report, issued.renewInSeconds);
}

function plan(report, seconds) {
  renewAt = Date.now() + Math.max(seconds, SHORTEST_WAIT) * 1000;
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
    notRenewed(fault instanceof Error ? [fault.message] : inWords(fault));
    plan(report, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

function notRenewed([sentence, cause]) {
  if (over) say("failed", sentence, cause);
  else if (!is("failed")) say("renewalFailing", `${sentence} Trying again.`, cause);
}

/** Power BI's errors by the name that it gives them. One visual's trouble is not the report's end. */
function stopped(error) {
  if (is("rendered") && !(error.message in WORDS)) return console.warn(error);
  over = error.message !== "TokenExpired";
  return say("failed", ...inWords(error));
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

/** A sentence for the customer, and the cause for the support to whom it is read out. */
function inWords(error) {
  const sentence = WORDS[error.message] ?? "The report can't be shown.";
  return [sentence, `${error.message} ${error.errorCode}: ${error.detailedMessage}`];
}

function renewalTold(issued) {
  return `Open until ${new Date(issued.expiration).toLocaleTimeString()}, renewed before that without a reload.`;
}

function is(state) {
  return document.body.dataset.state === state;
}

function say(state, sentence, cause = "") {
  document.body.dataset.state = state;
  document.getElementById("sentence").textContent = sentence;
  document.getElementById("cause").textContent = cause;
  document.getElementById("again").hidden = state !== "failed";
}
