// @ts-check
// "As code": the present form as a command, as Python and as curl.
import { html, useState } from "./lib.js";
import { t } from "./i18n.js";
import { Button, Dialog, notify } from "./ui.js";
import { conditionText } from "./request.js";

/** A word of a POSIX shell. @param {any} word */
const shell = (word) => {
  const text = String(word);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
};

/** A value as Python writes it. @param {any} value @param {string} indent @returns {string} */
function python(value, indent = "") {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  // JSON's strings are Python's, but for characters outside the basic plane, which JSON.stringify leaves as they are.
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = indent + "    ";
  if (Array.isArray(value)) return `[${value.map((one) => python(one, inner)).join(", ")}]`;
  const pairs = Object.entries(value).map(([key, one]) => `${inner}${JSON.stringify(key)}: ${python(one, inner)},`);
  return pairs.length ? `{\n${pairs.join("\n")}\n${indent}}` : "{}";
}

/** A body without the bytes of files, which are longer than anybody reads. @param {any} body */
const shown = (body) =>
  JSON.parse(JSON.stringify(body, (key, value) => (key === "base64" ? value.slice(0, 24) + "…" : value)));

/** @param {string} path @param {any} given @param {string} accept @param {string} rest lines of Python that use `answer` */
function programs(path, given, accept, rest) {
  const body = shown(given);
  const address = location.origin + path;
  const py = `import json
import urllib.request

body = ${python(body)}
request = urllib.request.Request(
    ${JSON.stringify(address)},
    data=json.dumps(body).encode(),
    headers={
        "content-type": "application/json",
        "accept": "${accept}",
        "authorization": "Bearer TOKEN",  # ${t("code.token")}
    },
)
with urllib.request.urlopen(request) as answer:
    ${rest}
`;
  const curl = `# ${t("code.token")}
curl ${shell(address)} \\
  -H 'authorization: Bearer TOKEN' \\
  -H 'content-type: application/json' \\
  -H 'accept: ${accept}' \\
  -d ${shell(JSON.stringify(body))}${/^(text|application)\/(csv|plain|json)/.test(accept) ? "" : " \\\n  -o new" + ({ "image/png": ".png", "image/gif": ".gif", "audio/wav": ".wav", "audio/midi": ".mid" }[accept] ?? "")}
`;
  return { py, curl };
}

/** A drawer with three ways to say the same. @param {string} command @param {{ py: string, curl: string }} code */
const drawer = (command, code) => ({
  Drawer: (/** @type {{ onClose: () => void }} */ { onClose }) => {
    const [tab, setTab] = useState("command");
    const text = { command, python: code.py, curl: code.curl }[tab] ?? "";
    const copy = () =>
      navigator.clipboard?.writeText(text).then(
        () => notify(t("code.copied")),
        () => notify(t("code.nocopy"), { bad: true }),
      );
    return html`<${Dialog} title=${t("code.title")} onClose=${onClose} wide>
      <p class="tabs" role="group" aria-label=${t("code.title")}>${["command", "python", "curl"].map(
        (name) =>
          html`<button type="button" aria-pressed=${name === tab} onClick=${() => setTab(name)}>${t("code." + name)}</button>`,
      )}</p>
      <pre class="code" tabindex="0">${text}</pre>
      <p class="row"><${Button} look="main" onClick=${copy}>${t("code.copy")}<//></p>
    <//>`;
  },
});

/** @param {any} body @param {string} source */
export function trainCode(body, source) {
  const words = ["mintage train", shell(source)];
  const flags = {
    table: "--table",
    column: "--column",
    label: "--label",
    kind: "--kind",
    family: "--model",
    size: "--size",
    time: "--time",
    steps: "--steps",
    name: "--name",
  };
  for (const [key, flag] of Object.entries(flags)) if (body[key] !== undefined) words.push(flag, shell(body[key]));
  if (body.seed !== undefined) words.push("-s", `train.seed=${body.seed}`);
  for (const [key, value] of Object.entries(body.settings ?? {})) {
    const inline =
      value && typeof value === "object" && !Array.isArray(value)
        ? `{ ${Object.entries(value)
            .map(([name, one]) => `${JSON.stringify(name)} = ${JSON.stringify(one)}`)
            .join(", ")} }`
        : typeof value === "string"
          ? value
          : JSON.stringify(value);
    words.push("-s", shell(`${key}=${inline}`));
  }
  return drawer(words.join(" "), programs("/api/runs", body, "application/json", "print(json.load(answer))"));
}

const ACCEPT = {
  table: "text/csv",
  text: "text/plain",
  image: "image/png",
  video: "image/gif",
  audio: "audio/wav",
  music: "audio/midi",
};
const ENDING = { table: "new.csv", text: "-", image: "new.png", video: "new.gif", audio: "new.wav", music: "new.mid" };

/** @param {any} request @param {{ id: string, name: string, kind: keyof typeof ACCEPT }} model */
export function sampleCode(request, model) {
  const words = ["mintage sample", shell(model.name)];
  for (const [key, value] of Object.entries(request)) {
    if (key === "n") words.push("-n", String(value));
    else if (key === "where")
      for (const [column, one] of Object.entries(value))
        words.push("--where", shell(`${column}=${one === null ? "" : conditionText(one)}`));
    else if (key === "stop") for (const one of /** @type {string[]} */ (value)) words.push("--stop", shell(one));
    else if (key === "endless") {
      if (value) words.push("--endless");
    } else if (key === "between") words.push("--between", "FILE", "FILE");
    else if (["like", "continue", "given", "fill"].includes(key)) words.push(`--${key}`, "FILE");
    else if (key !== "blend") words.push(`--${key.replaceAll("_", "-")}`, shell(value));
  }
  if (model.kind !== "text") words.push("-o", ENDING[model.kind] ?? "new/");
  const accept = ACCEPT[model.kind] ?? "application/json";
  const rest = accept.startsWith("text/")
    ? "print(answer.read().decode())"
    : `open("${ENDING[model.kind] ?? "new"}", "wb").write(answer.read())`;
  return drawer(words.join(" "), programs(`/api/models/${encodeURIComponent(model.id)}/sample`, request, accept, rest));
}
