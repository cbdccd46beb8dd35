// powerbi-client's protocol: plain objects by postMessage. A request has headers.id, and its answer carries the same id.
// Requests come from the embedding page; events go to it as requests of ours, whose answers nobody needs.

const uid = new URLSearchParams(location.search).get("uid") ?? "";
let owner = null; // origin of the page that embeds us: the first that spoke, and from then on the only one heard

/** Answer requests by `handlers`, keyed "METHOD /url"; a handler gets the body and a function that answers. */
export function serve(handlers) {
  addEventListener("message", (event) => {
    const { method, url, headers, body } = event.data ?? {};
    if (event.source !== parent || parent === window || !method || !url) return;
    owner ??= event.origin;
    if (event.origin !== owner) return;
    const answer = (statusCode, content = {}) =>
      parent.postMessage({ statusCode, headers: { id: headers?.id }, body: content }, owner);
    const handler = handlers[`${method} ${url}`] ?? notEmulated(method, url);
    handler(body, answer);
  });
}

/** Say that messages are heard. Nobody has spoken yet, so the owner is not known; the message tells nothing. */
export function tellReady() {
  if (parent !== window) parent.postMessage(request(`/ready/${encodeURIComponent(uid)}`, {}), "*");
}

/** Tell the owner of an event: loaded, rendered or error. */
export function tell(name, body = {}) {
  if (owner) parent.postMessage(request(`/reports/${encodeURIComponent(uid)}/events/${name}`, body), owner);
}

function request(url, body) {
  return { method: "POST", url, headers: { id: crypto.randomUUID() }, body };
}

function notEmulated(method, url) {
  const message = `The emulated report page has no ${method} ${url}`;
  return (_, answer) => answer(501, { message, detailedMessage: message, errorCode: "501", level: 6 });
}
