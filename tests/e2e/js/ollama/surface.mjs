// The names of all methods of the client that are meant for those who use it.
import { Ollama } from "ollama";

import { report } from "../common.mjs";

const inside = ["constructor", "processStreamableRequest", "fileExists"];
const chain = [Ollama.prototype, Object.getPrototypeOf(Ollama.prototype)];
const names = new Set(chain.flatMap((prototype) => Object.getOwnPropertyNames(prototype)));
report([...names].filter((name) => !inside.includes(name)).sort());
