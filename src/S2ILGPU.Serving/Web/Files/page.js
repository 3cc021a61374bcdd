// Looks at the server a few times per second while something runs and the page is seen.

import { KeyNeeded, readCache, useKey } from "./server.js";
import { isAnswering, showError, startChat } from "./chat.js";
import { showPicture, startPicture } from "./picture.js";

const busyMilliseconds = 250, idleMilliseconds = 2000;

const byId = id => document.getElementById(id);
const keyForm = byId("key-form"), select = byId("sequence");

let model = "";
let before = null;                                      // the answer of /cache before the last one
let timer = 0;
let asked = 0, shown = 0;                               // numbers of calls of /cache: the last one, the newest answered

startChat(() => model, look, milliseconds => set("first-token", `${(milliseconds / 1000).toFixed(2)} s`), fail);
startPicture();
select.addEventListener("change", look);
document.addEventListener("visibilitychange", look);
keyForm.addEventListener("submit", event => {
    event.preventDefault();
    useKey(byId("key").value);
    keyForm.hidden = true;
    byId("prompt").focus();
    showError("");
    look();
});
look();

async function look() {
    clearTimeout(timer);
    if (document.hidden)
        return;
    const call = ++asked;
    let cache, failure;
    try {
        cache = await readCache(select.value);
    } catch (error) {
        failure = error;
    }
    // Several calls may be under way; one that is overtaken says what was, perhaps of another sequence.
    if (call < shown)
        return;
    shown = call;
    if (failure) {
        set("state", "not connected");
        if (failure instanceof KeyNeeded) {
            fail(failure);
            return;                                     // until there is a key
        }
    }
    const isBusy = isAnswering() || cache?.running > 0 || cache?.queued > 0;
    clearTimeout(timer);
    timer = setTimeout(look, isBusy ? busyMilliseconds : idleMilliseconds);
    if (cache)
        show(cache);
}

function fail(failure) {
    showError(failure.message);
    if (failure instanceof KeyNeeded && keyForm.hidden) {
        keyForm.hidden = false;
        byId("key").focus();
    }
}

function show(cache) {
    model = cache.model;
    set("model", `${model}, ${cache.contextTokens} tokens of context`);
    set("state", cache.running > 0 ? "running" : "idle");
    set("running", cache.running);
    set("queued", cache.queued);
    set("used-pages", cache.usedPages);
    set("free-pages", cache.freePages);
    showRate(cache);
    showBytes(cache);
    showSequences(cache);
    // What ran last stays, so that one can look at it.
    if (cache.picture)
        showPicture(cache.picture);
    const what = cache.picture ? cache.picture.sequence ? "one sequence" : `${cache.picture.sequences} together`
        : byId("layers").childElementCount > 0 ? "nothing runs: the last picture" : "nothing runs";
    set("scope", what);
    before = cache;
}

function showRate(cache) {
    const milliseconds = before ? cache.milliseconds - before.milliseconds : 0;
    const tokens = before ? cache.generatedTokens - before.generatedTokens : 0;
    if (milliseconds > 0 && tokens > 0)
        set("rate", (tokens * 1000 / milliseconds).toFixed(1));
}

function showBytes({ usedBytes, denseBytes, prefixPages, prefixes, running }) {
    const most = Math.max(usedBytes, denseBytes, 1);
    byId("bar-used").setAttribute("width", `${100 * usedBytes / most}%`);
    byId("bar-dense").setAttribute("width", running > 0 ? "100%" : "0");
    const ofPrefixes = prefixes > 0 ? `; ${prefixPages} pages wait in ${prefixes} prefixes` : "";
    set("bytes", running > 0
        ? `${bytes(usedBytes)} of pages, dense attention would keep ${bytes(denseBytes)}${ofPrefixes}`
        : usedBytes > 0 ? `${bytes(usedBytes)} of pages${ofPrefixes}` : "Nothing is in the cache.");
}

function showSequences({ sequences }) {
    const names = ["", ...sequences.map(sequence => sequence.name)];
    if (!names.includes(select.value))
        select.value = "";
    const wanted = select.value;
    for (const option of [...select.options])
        if (!names.includes(option.value))
            option.remove();
    for (const { name, promptTokens, tokens } of sequences) {
        let option = [...select.options].find(option => option.value === name);
        if (!option)
            select.append(option = new Option("", name));
        const [request, choice] = name.split(".");
        option.text = `request ${request}${choice === "0" ? "" : `, choice ${choice}`}: ${tokens} tokens, `
            + `${promptTokens} of the prompt`;
    }
    select.value = wanted;
}

function bytes(count) {
    const units = ["B", "KB", "MB", "GB", "TB"];
    const unit = Math.min(units.length - 1, count > 0 ? Math.floor(Math.log10(count) / 3) : 0);
    return `${(count / 1000 ** unit).toFixed(unit > 0 ? 1 : 0)} ${units[unit]}`;
}

function set(id, text) {
    const element = byId(id);
    // Live regions speak when they are written, also where nothing changed.
    if (element.textContent !== String(text))
        element.textContent = text;
}
