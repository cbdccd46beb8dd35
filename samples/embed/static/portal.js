// Embeds the customer's report with Microsoft's powerbi-client, and gives it a new token before the old one ends.

const LONGEST_WAIT = 30; // seconds; a laptop that slept past the moment of renewal notices soon after it wakes up
const AGAIN_AFTER_FAILURE = 5; // seconds
const { models } = window["powerbi-client"];
const WORDS = {
  TokenExpired: "Your report has ended, because it could not be renewed in time. Please load this page again.",
  LoadReportFailed: "Power BI does not open this report for you.",
  PowerBINotAuthorizedException: "Power BI does not open this report for you.",
};

let renewAt = 0;
let renewals = 0;
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
  report.on("error", (event) => say("failed", inWords(event.detail)));
  plan(report, issued.renewInSeconds);
}

function plan(report, seconds) {
  renewAt = Date.now() + seconds * 1000;
  wait(report);
}

function wait(report) {
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
    plan(report, issued.renewInSeconds);
  } catch (fault) {
    if (document.body.dataset.state !== "failed") say("renewalFailing", `${fault.message ?? inWords(fault)} Trying again.`);
    plan(report, AGAIN_AFTER_FAILURE);
  }
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

function say(state, sentence) {
  document.body.dataset.state = state;
  document.getElementById("status").textContent = sentence;
}
