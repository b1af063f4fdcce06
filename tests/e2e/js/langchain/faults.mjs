// A name that nobody has (which LangChain pulls first if it is told to), and a stream that breaks off.
import { chat, gathered, question, refusal, report } from "./scenario.mjs";

report({
    unknown: await refusal(() => chat({ model: "nobody" }).invoke(question)),
    pulled: await refusal(() => chat({ model: "nobody", checkOrPullModel: true }).invoke(question)),
    there: (await chat({ checkOrPullModel: true }).invoke(question)).content,
    cut: await refusal(async () => gathered(await chat().stream("be cut"))),
});
