/* Small manners of the admin's own buttons: ask before, copy, select. No library, no inline script. */
document.addEventListener("click", async (event) => {
    const ask = event.target.closest("[data-confirm]");
    if (ask && !window.confirm(ask.dataset.confirm)) {
        event.preventDefault();
        return;
    }
    const select = event.target.closest("[data-select]");
    if (select) {
        select.select();
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
        const field = document.getElementById(copy.dataset.copy);
        field.select();
        copy.textContent = (await copied(field.value)) ? "Copied" : "Press Ctrl+C";
    }
});

/* The clipboard belongs to pages over TLS or on this machine; elsewhere the older way may still work. */
async function copied(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return document.execCommand("copy");
    }
}
