// In tables, names of tests and paths of files, which are wider than their columns, break behind their parts and nowhere
// else; and of several files each begins on a line of its own, in place of a comma.
for (const code of document.querySelectorAll("table code")) {
    const before = code.previousSibling;
    if (code.textContent.includes("/") && before?.textContent === ", ") {
        before.replaceWith(document.createElement("br"));
    }
    code.innerHTML = code.innerHTML.replace(/(::|\w_|\/)(?=\w)/g, "$1<wbr>");
}
