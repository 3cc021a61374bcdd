// The conversation: sends it, shows the answer as it comes. Texts of the model are inserted as text.

import { chat } from "./server.js";

const byId = id => document.getElementById(id);
const [messages, error, prompt, send, stop] = ["messages", "error", "prompt", "send", "stop"].map(byId);

let conversation = [];
let running = null;                                     // the AbortController of the answer that comes

// onAnswer gets the seconds to the first token of an answer; model() is the name of the model.
export function startChat(model, onSend, onFirstToken, onError) {
    byId("compose").addEventListener("submit", event => {
        event.preventDefault();
        if (!running)
            answer(model(), onSend, onFirstToken, onError);
    });
    prompt.addEventListener("keydown", event => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing)
            return;
        event.preventDefault();
        byId("compose").requestSubmit();
    });
    stop.addEventListener("click", () => running?.abort());
    byId("clear").addEventListener("click", () => {
        running?.abort();
        conversation = [];
        messages.replaceChildren();
        prompt.focus();
    });
}

export function isAnswering() {
    return running !== null;
}

export function showError(text) {
    error.textContent = text;
    error.title = text;
}

async function answer(model, onSend, onFirstToken, onError) {
    const content = prompt.value;
    const asked = [...conversation, { role: "user", content }];
    showError("");
    if (conversation.length === 0)
        messages.replaceChildren();
    const question = addMessage("user", "You");
    question.text.textContent = content;
    const reply = addMessage("assistant", "Model");
    const controller = setRunning(new AbortController());
    const figures = { start: performance.now(), first: null, tokens: null, finish: "stopped" };
    let text = "";
    prompt.value = "";
    onSend();
    try {
        for await (const chunk of chat(fields(model, asked), controller.signal)) {
            const choice = chunk.choices[0];
            figures.tokens = chunk.usage?.completion_tokens ?? figures.tokens;
            figures.finish = choice?.finish_reason ?? figures.finish;
            if (!choice?.delta.content)
                continue;
            if (figures.first === null)
                onFirstToken((figures.first = performance.now()) - figures.start);
            text += choice.delta.content;
            append(reply.text, choice.delta.content);
        }
    } catch (failure) {
        if (failure.name !== "AbortError") {
            onError(failure);
            figures.finish = "error";
        }
    } finally {
        if (running === controller)
            setRunning(null);
    }
    if (text === "" && figures.finish === "error") {
        question.element.remove();
        reply.element.remove();
        prompt.value = content;
        return;
    }
    conversation = [...asked, { role: "assistant", content: text }];
    reply.figures.textContent = describe(figures);
    byId("announcement").textContent = `The answer is complete: ${text}`;
}

function fields(model, asked) {
    return {
        model,
        messages: asked,
        max_tokens: Number(byId("max-tokens").value),
        temperature: Number(byId("temperature").value),
    };
}

function setRunning(controller) {
    running = controller;
    // The focus must not be lost with the button that has it.
    const hadFocus = [send, stop].includes(document.activeElement);
    send.disabled = controller !== null;
    stop.disabled = controller === null;
    if (hadFocus)
        (controller ? stop : prompt).focus();
    return controller;
}

function addMessage(role, name) {
    const element = document.createElement("article");
    element.className = `message ${role}`;
    const [title, text, figures] = ["h3", "p", "p"].map(tag => document.createElement(tag));
    title.textContent = name;
    text.className = "text";
    figures.className = "figures";
    element.append(title, text, figures);
    messages.append(element);
    scrollDown();
    return { element, text, figures };
}

function append(element, piece) {
    const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 40;
    element.append(piece);
    if (isAtEnd)
        scrollDown();
}

function scrollDown() {
    messages.scrollTop = messages.scrollHeight;
}

function describe({ start, first, tokens, finish }) {
    const end = performance.now(), parts = [];
    if (tokens !== null)
        parts.push(`${tokens} tokens`);
    if (first !== null)
        parts.push(`first after ${((first - start) / 1000).toFixed(2)} s`);
    if (tokens > 1)
        parts.push(`${((tokens - 1) * 1000 / Math.max(1, end - first)).toFixed(1)} tokens/s`);
    if (finish !== "stop")
        parts.push({ length: "ended at the most tokens", stopped: "stopped", error: "failed" }[finish] ?? finish);
    return parts.join(" · ");
}
