// The server of this page: requests with the API key, and errors as one line.

const keyName = "s2-api-key";

export class KeyNeeded extends Error {}

export function useKey(key) {
    sessionStorage.setItem(keyName, key);
}

// Fetches a path beside this page; throws an Error whose message is one line.
async function request(path, options = {}) {
    const key = sessionStorage.getItem(keyName);
    const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
    let response;
    try {
        response = await fetch(path, { ...options, headers });
    } catch (error) {
        throw error.name === "AbortError" ? error : new Error("the server does not answer");
    }
    if (response.ok)
        return response;
    const message = await errorOf(response);
    throw response.status === 401 ? new KeyNeeded(message) : new Error(message);
}

async function errorOf(response) {
    try {
        return (await response.json()).error.message;
    } catch {
        return `the server answers with status ${response.status}`;
    }
}

// What the scheduler holds, and the picture of a sequence; of all sequences without a name.
export async function readCache(sequence, signal) {
    const response = await request(`cache?sequence=${encodeURIComponent(sequence)}`, { signal });
    return response.json();
}

// Streams an answer: yields the chunks of the API as they come.
export async function* chat(fields, signal) {
    const response = await request("v1/chat/completions", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...fields, stream: true, stream_options: { include_usage: true } }),
        signal,
    });
    for await (const data of events(response.body)) {
        if (data === "[DONE]")
            return;
        const chunk = JSON.parse(data);
        if (chunk.error)
            throw new Error(chunk.error.message);
        yield chunk;
    }
}

// The data of server-sent events; ours have one line each.
async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done)
                return;
            const lines = (text + value).split("\n");
            text = lines.pop();
            for (const line of lines)
                if (line.startsWith("data: "))
                    yield line.slice("data: ".length);
        }
    } finally {
        reader.cancel().catch(() => { });
    }
}
