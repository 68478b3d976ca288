/** PromptOps: prompts that change while your program runs. */
module io.promptops {
    exports io.promptops;
}
