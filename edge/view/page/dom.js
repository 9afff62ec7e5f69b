// Small pieces of a page. Text only ever gets in as text.

export function words(kind) {
  return kind.replaceAll("_", " ");
}

export function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** Fill a list of names and values; in pairs, so that they stay together when lines break. */
export function facts(list, pairs, grouped = false) {
  list.replaceChildren(
    ...pairs.flatMap(([name, value]) => {
      const pair = [element("dt", "", name), element("dd", "", String(value))];
      if (!grouped) return pair;
      const group = element("div");
      group.append(...pair);
      return [group];
    }),
  );
}

/** Set a text that screen readers announce, only where it is another one. */
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Ask the server; its answer, or { error } with a sentence. */
export async function send(path, method = "GET", content = undefined) {
  try {
    const answer = await fetch(path, { method, body: content === undefined ? undefined : JSON.stringify(content) });
    const found = await answer.json();
    return answer.ok ? found : { error: found.error ?? `The server answers ${answer.status}.` };
  } catch {
    return { error: "Nothing was done: there is no connection." };
  }
}
