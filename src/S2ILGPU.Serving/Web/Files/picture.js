// The picture of the cache: a canvas for each layer, rows of heads, columns of blocks.

import { rowsOf, describeLayer, describeCell } from "./rows.js";

// Each has a contrast of 3:1 and more to the dark and to the light surface.
const headColours = ["#3b7dd8", "#c9690f", "#2e9460", "#9a5fd0", "#d6455d", "#1b8fa3", "#8a8512", "#c85a9e"];
const labelWidth = 46;
const columnStep = 16;

const byId = id => document.getElementById(id);
const layers = byId("layers"), readout = byId("readout"), spoken = byId("readout-spoken");

let panels = [];
let cursor = null;                                      // { panel, row, column }

export function startPicture() {
    const redraw = () => panels.forEach(draw);
    new ResizeObserver(redraw).observe(layers);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

export function showPicture(picture) {
    if (panels.length !== picture.layers.length) {
        panels = picture.layers.map((_, index) => newPanel(index));
        layers.replaceChildren(...panels.map(panel => panel.figure));
    }
    panels.forEach((panel, index) => {
        panel.layer = picture.layers[index];
        panel.rows = rowsOf(panel.layer);
        const what = panel.layer.attention.replace("_", " "), keeps = describeLayer(panel.rows);
        panel.detail.textContent = `${what}: ${keeps}`;
        panel.canvas.setAttribute("aria-label", `Layer ${index + 1}, ${what} attention: ${keeps}`);
        draw(panel);
    });
    if (cursor)
        say(false);
}

function newPanel(index) {
    const figure = document.createElement("div"), title = document.createElement("h3");
    const detail = document.createElement("span"), canvas = document.createElement("canvas");
    title.append(`Layer ${index + 1} `, detail);
    canvas.tabIndex = 0;
    // The arrow keys go to the picture, also with a screen reader.
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-describedby", "explanation");
    figure.append(title, canvas);
    const panel = { index, figure, detail, canvas, layer: null, rows: null, size: null };
    canvas.addEventListener("pointermove", event => point(panel, event));
    canvas.addEventListener("pointerleave", () => { if (document.activeElement !== canvas) setCursor(null); });
    canvas.addEventListener("focus", () => setCursor({ panel, row: 0, column: 0 }, true));
    canvas.addEventListener("blur", () => setCursor(null));
    canvas.addEventListener("keydown", event => move(panel, event));
    return panel;
}

function draw(panel) {
    const { canvas, layer, rows } = panel;
    const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name).trim();
    const columns = rows.together.length, scale = devicePixelRatio || 1;
    // The scale changes seldom while a text grows.
    const shown = columnStep * Math.ceil(columns / columnStep);
    const rowHeight = rows.heads.length <= 8 ? 16 : 9, width = canvas.clientWidth || 300;
    const height = (rows.heads.length + 1) * rowHeight + 6;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.height = `${height}px`;
    panel.size = { rowHeight, columnWidth: (width - labelWidth) / shown };
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    rows.all.forEach((cells, row) => {
        const isHead = row < rows.heads.length, box = column => boxOf(panel, row, column);
        context.fillStyle = colour("--quiet");
        if (rowHeight > 12 || row % 2 === 0 || !isHead)
            context.fillText(isHead ? `head ${row}` : "all", 0, box(0).y + box(0).height / 2);
        cells.forEach((cell, column) => {
            const head = isHead ? row : rows.onlyHead[column];
            drawCell(context, box(column), cell, colour,
                head === null ? colour("--together") : headColours[head % headColours.length]);
        });
    });
    if (cursor?.panel === panel)
        outline(context, boxOf(panel, cursor.row, cursor.column), colour("--text"));
}

// A cell of several blocks, or of several sequences, is as strong as the part of them that is kept.
function drawCell(context, box, cell, colour, kept) {
    context.fillStyle = colour("--freed");
    context.fillRect(box.x, box.y, box.width, box.height);
    if (cell.held === 0)
        return;
    context.globalAlpha = 0.25 + 0.75 * cell.held / cell.written;
    context.fillStyle = kept;
    context.fillRect(box.x, box.y, box.width, box.height);
    context.globalAlpha = 1;
    if (cell.shared === 0 || box.width < 3)
        return;
    const notch = Math.min(box.width, box.height) * 0.6;
    context.fillStyle = colour("--notch");
    context.beginPath();
    context.moveTo(box.x + box.width - notch, box.y);
    context.lineTo(box.x + box.width, box.y);
    context.lineTo(box.x + box.width, box.y + notch);
    context.fill();
}

function outline(context, box, colour) {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.strokeRect(box.x - 1, box.y - 1, box.width + 2, box.height + 2);
}

function boxOf({ size, rows }, row, column) {
    const { rowHeight, columnWidth } = size, gap = columnWidth > 4 ? 1 : 0;
    const isHead = row < rows.heads.length;
    return {
        x: labelWidth + column * columnWidth,
        y: row * rowHeight + (isHead ? 0 : 5),
        width: Math.max(1, columnWidth - gap),
        height: rowHeight - (rowHeight > 12 ? 3 : 1),
    };
}

function point(panel, event) {
    const { rowHeight, columnWidth } = panel.size;
    const row = Math.floor(event.offsetY / rowHeight), column = Math.floor((event.offsetX - labelWidth) / columnWidth);
    const isInside = panel.rows.all[row]?.[column] !== undefined;
    setCursor(isInside ? { panel, row, column } : null);
}

function move(panel, event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const last = panel.rows.together.length - 1, at = cursor ?? { row: 0, column: 0 };
    const [down, right] = steps[event.key] ?? [0, event.key === "Home" ? -last : event.key === "End" ? last : 0];
    if (down === 0 && right === 0)
        return;
    event.preventDefault();
    setCursor({
        panel,
        row: Math.min(Math.max(at.row + down, 0), panel.rows.heads.length),
        column: Math.min(Math.max(at.column + right, 0), last),
    }, true);
}

function setCursor(next, isSpoken = false) {
    const before = cursor?.panel;
    cursor = next;
    for (const panel of new Set([before, next?.panel]))
        if (panel)
            draw(panel);
    if (cursor)
        say(isSpoken);
}

function say(isSpoken) {
    const { panel } = cursor;
    cursor.column = Math.min(cursor.column, panel.rows.together.length - 1);
    const text = describeCell(panel.layer, panel.index + 1, panel.rows, cursor.row, cursor.column);
    readout.textContent = text;
    if (isSpoken)
        spoken.textContent = text;
}
