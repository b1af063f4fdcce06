// The commands that make, copy and delete names, whole and streamed, and what is refused.
import { client, gathered, model, refusal, report } from "./scenario.mjs";

const names = async () => (await client.list()).models.map((listed) => listed.name);

const alias = { model: "terse-js", from: model, system: "You are terse." };
const created = await client.create(alias);
const streamed = await gathered(await client.create({ ...alias, stream: true }));
const copied = await client.copy({ source: "terse-js", destination: "mine-js" });
const pulled = await client.pull({ model: "mine-js" });
const progress = await gathered(await client.pull({ model: "mine-js", stream: true }));
const while_there = await names();
const shown = await client.show({ model: "mine-js" });
const deleted = [await client.delete({ model: "terse-js" }), await client.delete({ model: "mine-js" })];
const after = await names();
const refused = {
    deleted: await refusal(() => client.delete({ model: "mine-js" })),
    pulled: await refusal(() => client.pull({ model: "nobody" })),
    pulled_streamed: await refusal(async () => gathered(await client.pull({ model: "nobody", stream: true }))),
    pushed: await refusal(() => client.push({ model })),
    pushed_streamed: await refusal(async () => gathered(await client.push({ model, stream: true }))),
};
report({ created, streamed, copied, pulled, progress, while_there, shown, deleted, after, refused });
