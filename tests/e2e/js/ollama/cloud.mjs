// What the client asks of Ollama's cloud. It is led here instead, as by a proxy that stands for ollama.com.
import { Ollama } from "ollama";

import { client, host, model, refusal, report } from "./scenario.mjs";

const asked = [];
const cloud = new Ollama({
    host,
    fetch: (url, init) => {
        asked.push(url);
        return fetch(url.replace("https://ollama.com", host), init);
    },
});
const questions = { q: { type: "noul", instructions: "Is it night?" } };
report({
    version: (await client.version()).version,
    searched: await refusal(() => cloud.webSearch({ query: "weather" })),
    fetched: await refusal(() => cloud.webFetch({ url: "https://example.com" })),
    systemone: await refusal(() => client.systemone({ model, state: "dark", questions })),
    asked,
});
