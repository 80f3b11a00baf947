// @ts-check
// The one place that names the vendored libraries.
import { h, render, Fragment } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { h, render, Fragment };
export { useState, useEffect, useLayoutEffect, useRef, useMemo, useErrorBoundary, useId } from "./vendor/hooks.js";
export { signal, computed, effect, batch } from "./vendor/signals.js";
export const html = htm.bind(h);
