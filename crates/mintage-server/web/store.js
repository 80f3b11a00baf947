// @ts-check
// What several pages know: the server, its runs and jobs. Events keep runs and jobs up to date.
import { signal, batch } from "./lib.js";
import { get, url } from "./api.js";

export const server = signal(/** @type {any} */ (null));
export const runs = signal(/** @type {any[] | null} */ (null));
export const jobs = signal(/** @type {any[]} */ ([]));

/** @param {string} id */
export const runOf = (id) => runs.value?.find((run) => run.id === id);
/** The job that works on a run. @param {string} id */
export const jobOf = (id) =>
  jobs.value.find((job) => job.run === id && (job.state === "running" || job.state === "queued"));
/** Why the family of a run was taken, as far as the training begun last says. @param {string} id */
export const familyWhyOf = (id) => jobs.value.find((job) => job.run === id && job.what === "train")?.family_why;
export const isActive = (run) => run.live || run.state === "training" || run.state === "queued";

export async function loadAll() {
  const [state, list, queue] = await Promise.all([get("/api/state"), get("/api/runs"), get("/api/jobs")]);
  batch(() => {
    server.value = state;
    runs.value = list.runs;
    jobs.value = queue.jobs;
  });
}

/** Fetches one run again. @param {string} id */
export async function refreshRun(id) {
  try {
    const run = await get(url`/api/runs/${id}`);
    const others = (runs.value ?? []).filter((other) => other.id !== id);
    runs.value = [run, ...others].sort((a, b) => b.created - a.created);
  } catch (error) {
    if (/** @type {any} */ (error).status === 404) forgetRun(id);
  }
}

/** @param {string} id */
export const forgetRun = (id) => {
  runs.value = (runs.value ?? []).filter((run) => run.id !== id);
};

/** @param {any} job */
export function setJob(job) {
  jobs.value = [job, ...jobs.value.filter((other) => other.id !== job.id)].slice(0, 200);
}
