// @ts-check
// Sample: the form on the left, the new items in the middle, one item in detail on the right.
import { html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { num, span, t } from "./i18n.js";
import { link, route, setQuery } from "./router.js";
import { call, del, get, newSeed, post, stream, url } from "./api.js";
import { refreshRun, runOf } from "./store.js";
import { useKeys } from "./keys.js";
import { Busy, Button, Failure, Icon, Progress, RunHead, Select, fail, notify, say, useLoad } from "./ui.js";
import { RequestForm } from "./form.js";
import { Grid, between } from "./grid.js";
import { Detail } from "./detail.js";
import { playIn } from "./media.js";
import { addText, csvLine, requestOf } from "./request.js";

/** Draws of this visit: going back to one asks nothing. @type {Map<string, any>} */
const draws = new Map();
const FORMATS = {
  table: ["text/csv", "application/x-ndjson", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"],
  text: ["text/plain", "application/x-ndjson"],
  image: ["image/png"],
  video: ["image/gif"],
  audio: ["audio/wav"],
  music: ["audio/midi", "audio/wav"],
};
const ENDINGS = {
  "text/csv": "csv",
  "application/x-ndjson": "ndjson",
  "application/vnd.apache.parquet": "parquet",
  "application/vnd.apache.arrow.stream": "arrow",
  "text/plain": "txt",
  "image/png": "png",
  "image/gif": "gif",
  "audio/wav": "wav",
  "audio/midi": "mid",
};
/** What an item of each kind is sent on to, where the model's schema has it. */
const VERBS = ["like", "between", "continue", "given", "fill"];

/** The marks of a draw, what undoes the last of them, and the calls that go with them. @param {string} model @param {any} draw */
function useMarks(model, draw) {
  const [state, setState] = useState(
    /** @type {{ marks: Record<number, string>, ids: Record<number, string>, past: any[] }} */ ({
      marks: {},
      ids: {},
      past: [],
    }),
  );
  const id = draw?.draw;
  const now = useRef(state);
  const commit = (next) => {
    now.current = next;
    setState(next);
  };
  useEffect(() => {
    const kept = (draw?.items ?? []).filter((item) => item.kept);
    commit({ marks: Object.fromEntries(kept.map((item) => [item.i, "kept"])), ids: {}, past: [] });
  }, [id]);
  const apply = async (items, mark, remember = true) => {
    const { marks, ids, past } = now.current;
    const before = items.map((i) => [i, marks[i]]);
    const toKeep = mark === "kept" ? items.filter((i) => marks[i] !== "kept") : [];
    const toForget = mark === "kept" ? [] : items.filter((i) => marks[i] === "kept");
    const nextIds = { ...ids };
    if (toKeep.length) {
      const { kept } = await post(url`/api/models/${model}/kept`, { draw: id, items: toKeep });
      toKeep.forEach((i, at) => {
        nextIds[i] = kept[at];
      });
    }
    if (toForget.length) {
      await del(url`/api/models/${model}/kept`, { ids: await idsOf(toForget) });
      for (const i of toForget) delete nextIds[i];
    }
    const nextMarks = { ...marks };
    for (const i of items)
      if (mark) nextMarks[i] = mark;
      else delete nextMarks[i];
    for (const item of draw.items) item.kept = nextMarks[item.i] === "kept";
    commit({ marks: nextMarks, ids: nextIds, past: remember ? [...past, before] : past });
    if (toKeep.length || toForget.length) refreshRun(model);
  };
  // Items of a draw that was loaded again: the list of kept ones tells their ids.
  const idsOf = async (items) => {
    const { ids } = now.current;
    if (items.every((i) => ids[i])) return items.map((i) => ids[i]);
    const list = (await get(url`/api/models/${model}/kept`)).items.filter(
      (one) => one.draw === id && items.includes(one.item),
    );
    return [...items.map((i) => ids[i]).filter(Boolean), ...list.map((one) => one.id)];
  };
  // One after the other: a key that is pressed quickly meets the marks that the one before it left.
  const queue = useRef(Promise.resolve());
  const later = (work) => (queue.current = queue.current.then(work, work));
  const set = (items, mark) => later(() => setNow(items, mark));
  const undo = () => later(undoNow);
  const setNow = (items, mark) => {
    const all = items.every((i) => now.current.marks[i] === mark);
    return apply(items, all ? undefined : mark).then(
      () => say(t(all ? "mark.none" : "mark.told." + mark, { n: items.length })),
      fail,
    );
  };
  const undoNow = async () => {
    const last = now.current.past[now.current.past.length - 1];
    if (!last) return;
    try {
      for (const mark of new Set(last.map((pair) => pair[1])))
        await apply(
          last.filter((pair) => pair[1] === mark).map((pair) => pair[0]),
          /** @type {any} */ (mark),
          false,
        );
      commit({ ...now.current, past: now.current.past.slice(0, -1) });
      say(t("undone"));
    } catch (error) {
      fail(error);
    }
  };
  return { marks: state.marks, canUndo: state.past.length > 0, set, undo };
}

/** Texts as they come; one that was stopped can be gone on with. @param {{ texts: string[], busy: boolean, onContinue?: (text: string) => void }} props */
const Streaming = ({ texts, busy, onContinue }) =>
  html`<ol class="streaming" aria-label=${t("sample.results")}>${texts.map(
    (text) => html`<li class="textitem">
      <p class="prose">${text}${busy && html`<span class="caret" aria-hidden="true"></span>`}</p>
      ${!busy && onContinue && html`<${Button} look="small" onClick=${() => onContinue(text)}>${t("send.continue")}<//>`}</li>`,
  )}</ol>`;

/** @param {{ id: string }} props */
export default function Sample({ id }) {
  const query = route.value.query;
  const run = runOf(id);
  const schema = useLoad((signal) => get(url`/api/models/${id}/schema`, signal), [id]);
  const targets = schema.data?.targets;
  const hists = useLoad(
    async (signal) =>
      targets?.source_id && schema.data.kind === "table"
        ? get(
            `${url`/api/sources/${targets.source_id}/histograms`}?table=${encodeURIComponent(targets.table ?? "")}`,
            signal,
          )
        : null,
    [targets?.source_id, targets?.table],
  );
  const [draw, setDraw] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(/** @type {any} */ (null));
  const [texts, setTexts] = useState(/** @type {string[]} */ ([]));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [at, setAt] = useState(0);
  const [from, setFrom] = useState(0);
  const [asked, setAsked] = useState(0);
  const [scores, setScores] = useState(/** @type {any} */ (null));
  const [code, setCode] = useState(/** @type {any} */ (null));
  const control = useRef(/** @type {AbortController | null} */ (null));
  const marks = useMarks(id, draw);
  const properties = schema.data?.schema.properties ?? {};
  const kind = schema.data?.kind ?? run?.kind ?? "";
  const shownDraw = query.get("draw") ?? "";

  // The draw of the address, also after going back or reloading.
  useEffect(() => {
    setScores(null);
    setAt(0);
    setFrom(0);
    if (!shownDraw) {
      setDraw(null);
      return;
    }
    if (draws.has(shownDraw)) {
      setDraw(draws.get(shownDraw));
      return;
    }
    let gone = false;
    get(url`/api/draws/${shownDraw}`).then(
      (data) => {
        if (!gone) {
          draws.set(shownDraw, data);
          setDraw(data);
        }
      },
      (error) => {
        if (!gone) {
          setDraw(null);
          setProblem(error.status === 404 ? { message: t("sample.gone"), hint: t("sample.gone.hint") } : error);
        }
      },
    );
    return () => {
      gone = true;
    };
  }, [shownDraw]);
  useEffect(() => () => control.current?.abort(), []);

  const sample = async (/** @type {any} */ changes = {}) => {
    if (!schema.data || control.current) return;
    if (Object.keys(changes).length) setQuery(changes);
    const request = requestOf(route.value.query, properties);
    const own = new AbortController();
    control.current = own;
    setProblem(null);
    setTexts([]);
    setBusy({ done: 0, total: request.n ?? 0, began: performance.now() });
    try {
      for await (const { event, data } of stream(url`/api/models/${id}/sample`, request, own.signal)) {
        if (event === "progress") setBusy((old) => ({ ...old, ...data }));
        else if (event === "text")
          setTexts((old) => {
            const next = [...old];
            while (next.length <= data.index) next.push("");
            next[data.index] += data.new;
            return next;
          });
        else if (event === "done") {
          draws.set(data.draw, data);
          if (draws.size > 64) draws.delete(draws.keys().next().value ?? "");
          setTexts([]);
          say(t("sample.told", { n: data.items.length }));
          setQuery({ draw: data.draw, s: data.seed, detail: null }, !shownDraw);
        }
      }
    } catch (error) {
      if (/** @type {any} */ (error).name !== "AbortError") setProblem(error);
    }
    if (own.signal.aborted) say(t("sample.stopped"));
    control.current = null;
    setBusy(null);
  };
  const stop = () => {
    control.current?.abort();
  };

  const order = query.get("order") ?? "";
  const hide = query.get("hide") === "1";
  const items = useMemo(() => {
    let list = draw?.items ?? [];
    if (hide) list = list.filter((item) => marks.marks[item.i] !== "out");
    if (order && scores)
      list = [...list].sort((a, b) => (scores[b.i]?.conformity ?? 0) - (scores[a.i]?.conformity ?? 0));
    return list;
  }, [draw, hide && marks.marks, order, scores]);
  const current = items[Math.min(at, items.length - 1)];
  const picked = new Set(between(items, from, at));
  const chosen = () => (picked.size ? [...picked] : current ? [current.i] : []);
  const open = query.get("detail") === "1" && current;
  const move = (to, extend) => {
    setAt(to);
    if (!extend) setFrom(to);
  };
  const again = () => sample({ seed: query.has("seed") ? newSeed() : null });
  const lock = () => setQuery({ seed: query.has("seed") ? null : (draw?.seed ?? newSeed()) });

  useKeys({
    "ctrl+enter": () => {
      sample();
    },
    escape: () => {
      if (control.current) stop();
      else if (open) setQuery({ detail: null });
    },
    r: () => {
      again();
    },
    l: lock,
    u: () => {
      marks.undo();
    },
    f: () => {
      if (current) marks.set(chosen(), "kept");
    },
    x: () => {
      if (current) marks.set(chosen(), "out");
    },
    n: () => {
      if (current) {
        setQuery({ detail: "1" });
        setAsked((n) => n + 1);
      }
    },
    enter: () => {
      if (current) setQuery({ detail: "1" });
    },
    space: () => playIn(document.querySelector(open ? ".detail" : ".results .at, .tiles .at")),
  });

  const find = (text) => {
    const cut = text.lastIndexOf("/");
    return draws.get(text.slice(0, cut))?.items.find((item) => item.i === Number(text.slice(cut + 1)));
  };
  const send = (verb) => {
    const place = `${draw.draw}/${current.i}`;
    if (verb === "between") {
      const ends = [...query.getAll("between"), place].slice(-2);
      setQuery({ between: ends, like: null });
      notify(
        t(ends.length < 2 ? "send.between.first" : "send.between.both"),
        ends.length < 2 ? {} : { action: { label: t("form.go"), run: () => sample() } },
      );
      return;
    }
    if (verb === "given" || verb === "fill") {
      const columns = schema.data.columns ?? draw.columns.map((one) => one.name);
      setQuery({ [verb]: csvLine(columns) + "\n" + csvLine(current.row), [verb === "given" ? "fill" : "given"]: null });
      notify(t("send.row"));
      return;
    }
    setQuery({ [verb]: place, ...(verb === "like" ? { between: null } : { prompt: null }) });
    notify(t(`send.${verb}.told`), { action: { label: t("form.go"), run: () => sample() } });
  };
  const score = async () => {
    try {
      const { scores: list } = await post(url`/api/models/${id}/score`, { draw: draw.draw });
      setScores(Object.fromEntries(list.map((one) => [one.i, one])));
      setQuery({ order: "score" });
    } catch (error) {
      fail(error);
    }
  };
  const rest = () => {
    const out = draw.items.filter((item) => !marks.marks[item.i]).map((item) => item.i);
    if (out.length) marks.set(out, "out").then(() => setQuery({ hide: "1" }));
  };
  const save = async (type) => {
    try {
      const answer = await call(
        "POST",
        url`/api/models/${id}/sample`,
        { ...draw.request, seed: draw.seed },
        { accept: type },
      );
      const address = URL.createObjectURL(await answer.blob());
      const anchor = document.createElement("a");
      anchor.href = address;
      anchor.download = `${run?.name ?? "new"}-${draw.seed}.${ENDINGS[/** @type {keyof typeof ENDINGS} */ (type)]}`;
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
    } catch (error) {
      fail(error);
    }
  };
  const asCode = async () => {
    const { sampleCode } = await import("./code.js");
    setCode(sampleCode(requestOf(query, properties), { id, name: run?.name ?? id, kind }));
  };

  if (schema.error) return html`<${RunHead} id=${id} /><${Failure} error=${schema.error} retry=${schema.reload} />`;
  if (!schema.data) return html`<${RunHead} id=${id} /><${Busy} label=${t("sample.loading")} />`;
  const counts = {
    kept: Object.values(marks.marks).filter((mark) => mark === "kept").length,
    out: Object.values(marks.marks).filter((mark) => mark === "out").length,
  };
  const verbs = VERBS.filter((verb) => properties[verb]);
  return html`<${RunHead} id=${id} />
    <div class=${"studio" + (open ? " withdetail" : "")}>
      <${RequestForm} schema=${schema.data.schema} kind=${kind} columns=${schema.data.columns} hists=${hists.data?.columns} busy=${Boolean(busy)} problem=${problem} drawn=${draw}
        find=${find} onGo=${() => sample()} onStop=${stop} />
      <section class="drawn" aria-label=${t("sample.results")}>
        <div class="bar">
          ${draw && html`<span>${t("sample.head", { n: draw.items.length })} · ${t("seed")} <code>${draw.seed}</code>${draw.ms ? ` · ${draw.ms < 1000 ? t("pad.took", { ms: draw.ms }) : span(draw.ms / 1000)}` : ""}</span>`}
          <span class="grow"></span>
          ${
            draw &&
            html`<${Button} look="small" onClick=${again} disabled=${Boolean(busy)}>${t(kind === "text" ? "sample.regenerate" : "sample.again")}<kbd>r</kbd><//>
            <${Button} look="small" disabled=${!marks.canUndo} onClick=${marks.undo}>${t("undo")}<kbd>u</kbd><//>
            <${Button} look="small" onClick=${rest}>${t("sample.rest")}<//>
            <${Button} look="small" onClick=${scores ? () => setQuery({ order: order ? null : "score" }) : score} aria-pressed=${Boolean(scores && order)}>${t("sample.score")}<//>
            <label class="check"><input type="checkbox" checked=${hide} onChange=${() => setQuery({ hide: !hide })} /> ${t("sample.hide")}</label>
            <${Select} aria-label=${t("sample.save")} value="" options=${[["", t("sample.save")], ...(FORMATS[/** @type {keyof typeof FORMATS} */ (kind)] ?? []).map((type) => [type, ENDINGS[/** @type {keyof typeof ENDINGS} */ (type)].toUpperCase()])]}
              onPick=${(type) => type && save(type)} />`
          }
          <${Button} look="small" onClick=${asCode}><${Icon} name="code" />${t("code.title")}<//>
        </div>
        ${draw && html`<p class="row note">${t("sample.counts", counts)}${counts.kept > 0 && html` <a href=${link("kept", id)}>${t("sample.tokept")}</a>`}</p>`}
        ${problem && html`<${Failure} error=${problem} retry=${problem.status || !shownDraw ? undefined : () => sample({ seed: query.get("s") })} />`}
        ${busy && html`<div class="runprogress"><${Progress} value=${busy.total ? busy.done / busy.total : null} label=${t("sample.busy")} /><span>${busy.total ? `${num(busy.done)} / ${num(busy.total)}` : t("sample.busy")}</span></div>`}
        ${
          texts.length > 0
            ? html`<${Streaming} texts=${texts} busy=${Boolean(busy)} onContinue=${
                properties.continue && ((text) => sample({ continue: addText(text), prompt: null, n: 1 }))
              } />`
            : items.length > 0
              ? html`<${Grid} items=${items} columns=${draw.columns} kind=${kind} at=${Math.min(at, items.length - 1)} picked=${picked} marks=${marks.marks} scores=${scores}
            onMove=${move} onOpen=${() => setQuery({ detail: "1" })} onKeep=${(list) => marks.set(list, "kept")} onOut=${(list) => marks.set(list, "out")} />`
              : !busy &&
                !problem &&
                html`<div class="empty"><p>${t(draw ? "sample.allhidden" : "sample.empty")}</p>${!draw && html`<${Button} look="main" onClick=${() => sample()}>${t("form.go")}<//>`}</div>`
        }
      </section>
      ${
        open &&
        html`<${Detail} key=${draw.draw} model=${id} draw=${draw} item=${current} mark=${marks.marks[current.i]} kind=${kind} verbs=${verbs} canPad=${Boolean(properties.blend)} asked=${asked}
        onKeep=${() => marks.set([current.i], "kept")} onOut=${() => marks.set([current.i], "out")} onSend=${send} onClose=${() => setQuery({ detail: null })} />`
      }
    </div>
    ${code && html`<${code.Drawer} onClose=${() => setCode(null)} />`}`;
}
