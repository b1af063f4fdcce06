import { client, model, report } from "./scenario.mjs";

const single = await client.embed({ model, input: "one" });
const batch = await client.embed({ model, input: ["one", "two"] });
const old = await client.embeddings({ model, prompt: "one" });
report({ single, batch, old });
