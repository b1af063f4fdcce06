// Clients that parse each piece that Node.js gives them, without looking for the ends of lines.
import http from "node:http";
import { host, messages, model, report } from "./scenario.mjs";

const body = JSON.stringify({ model, messages });

function readDataEvents() {
    return new Promise((resolve, reject) => {
        const pieces = [];
        const request = http.request(`${host}/api/chat`, { method: "POST" }, (response) => {
            response.on("data", (piece) => pieces.push(String(piece)));
            response.on("end", () => resolve(pieces));
            response.on("error", reject);
        });
        request.on("error", reject);
        request.end(body);
    });
}

async function readWithFetch() {
    const reader = (await fetch(`${host}/api/chat`, { method: "POST", body })).body.getReader();
    const pieces = [];
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
        pieces.push(new TextDecoder().decode(value));
    }
    return pieces;
}

report({ events: await readDataEvents(), fetched: await readWithFetch() });
