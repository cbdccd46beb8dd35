// The life of an embedded report: loaded with a token, drawn, renewed by a further token, ended with the last one.

import { serve, tell, tellReady } from "/_emulator/messages.js";
import { drawCounts, drawError, drawReport } from "/_emulator/drawing.js";

const address = new URLSearchParams(location.search);
const page = location.pathname.slice(1);
const counted = { loads: 0, renewals: 0 };
let open = null; // the report that is shown, with the id and token type that it was loaded with
let expiry = 0; // timer that ends it
let turn = 0; // an answer to an older request than the newest must not be shown

serve({
  "POST /frontload/config": (_, answer) => answer(202), // an announcement; the load itself follows
  "POST /report/load": load,
  "POST /report/token": renew,
  "GET /report/pages": (_, answer) => answer(200, (open?.pages ?? []).map((one, at) => ({ ...one, isActive: at === 0 }))),
});
tellReady();

async function load(wanted, answer) {
  answer(202);
  open = null;
  clearTimeout(expiry);
  counted.loads += 1;
  drawCounts(counted.loads, counted.renewals);
  const { report, error, late } = await ask(wanted.id, wanted.tokenType, wanted.accessToken);
  if (late) return;
  if (error) return fail(error);
  show(report, wanted);
  tell("loaded");
  requestAnimationFrame(() => {
    document.body.dataset.state = "rendered";
    tell("rendered");
  });
}

/** A further token for what is open. The report stays as it is if the token does not open it. */
async function renew(token, answer) {
  if (!open) return answer(403, failure("403", "LoadReportFailed", "No report is open whose token could be renewed."));
  const { report, error, late } = await ask(open.id, open.tokenType, token);
  if (late) return answer(409, failure("409", "LoadReportFailed", "A newer token has taken this one's place."));
  if (error) return answer(Number(error.errorCode), error);
  counted.renewals += 1;
  drawCounts(counted.loads, counted.renewals);
  show(report, open);
  document.body.dataset.state = "rendered";
  return answer(202);
}

/** What the server says to this token: {report} or {error}; `late` when another was asked about meanwhile. */
async function ask(id, tokenType, token) {
  const mine = ++turn;
  const said = await fetchReport(id, tokenType, token);
  return { ...said, late: mine !== turn };
}

async function fetchReport(id, tokenType, token) {
  const query = new URLSearchParams({
    page, tokenType, groupId: address.get("groupId") ?? "", addressReportId: address.get("reportId") ?? "",
  });
  try {
    const headers = { Authorization: `EmbedToken ${token}` };
    const answer = await fetch(`/_emulator/reports/${encodeURIComponent(id)}?${query}`, { headers, credentials: "omit" });
    const said = await answer.json();
    if (answer.ok) return { report: said };
    if (!said.errorCode) throw new Error(`status ${answer.status}`);
    return { error: { ...said, technicalDetails: { requestId: answer.headers.get("RequestId") } } };
  } catch (fault) {
    return { error: failure("500", "LoadReportFailed", `Power BI did not answer as it should: ${fault.message}.`) };
  }
}

function show(report, { id, tokenType }) {
  open = { ...report, id, tokenType };
  drawReport(report);
  clearTimeout(expiry);
  const ended = failure("403", "TokenExpired", "The embed token has expired: get a new one and set it.");
  expiry = setTimeout(() => fail(ended), Math.max(0, report.secondsLeft) * 1000);
}

function fail(error) {
  document.body.dataset.state = error.message === "TokenExpired" ? "expired" : "failed";
  drawError(error);
  tell("error", error);
}

function failure(errorCode, message, detailedMessage) {
  return { message, detailedMessage, errorCode, level: 6 };
}
