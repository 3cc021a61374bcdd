// Rows of cells as /cache sends them, and what is said of them.

// Runs of equal cells [count, written, kept, shared, ...] as one object for each cell.
export function cellsOf(runs) {
    const cells = [];
    for (let r = 0; r < runs.length; r += 4) {
        const [count, written, kept, shared] = runs.slice(r, r + 4);
        const cell = { written, kept, shared, held: kept + shared };
        for (let c = 0; c < count; c++)
            cells.push(cell);
    }
    return cells;
}

// A layer with its rows: one for each head, and the heads together.
export function rowsOf(layer) {
    const heads = layer.heads.map(cellsOf), together = cellsOf(layer.together);
    // The head whose colour a block of the last row has; null where several keep it.
    const onlyHead = together.map((_, c) => {
        const keep = heads.flatMap((cells, head) => cells[c].held > 0 ? [head] : []);
        return keep.length === 1 ? keep[0] : null;
    });
    return { heads, together, onlyHead, all: [...heads, together] };
}

export function sum(cells, field) {
    return cells.reduce((total, cell) => total + cell[field], 0);
}

// What a layer keeps, in one line.
export function describeLayer(rows) {
    const shares = rows.heads.map(cells => sum(cells, "held") / Math.max(1, sum(cells, "written")));
    const least = percent(Math.min(...shares)), most = percent(Math.max(...shares));
    const together = percent(sum(rows.together, "held") / Math.max(1, sum(rows.together, "written")));
    return `${least === most ? most : `${least} to ${most}`} %, together ${together} %`;
}

// A cell in words.
export function describeCell(layer, number, rows, row, column) {
    const cell = rows.all[row][column], { blockTokens, blocksPerCell } = layer;
    const first = column * blocksPerCell, last = Math.min(first + blocksPerCell, layer.blocks) - 1;
    const who = row < rows.heads.length ? `KV head ${row}` : "all heads together";
    const blocks = first === last ? `block ${first}` : `blocks ${first} to ${last}`;
    return `Layer ${number}, ${who}, ${blocks} (tokens ${first * blockTokens} to ${(last + 1) * blockTokens - 1}): `
        + state(cell);
}

function state(cell) {
    if (cell.written === 1)
        return cell.kept ? "kept" : cell.shared ? "kept and shared" : "freed";
    const freed = cell.written - cell.held;
    return `of ${cell.written} blocks ${cell.kept} kept, ${cell.shared} shared, ${freed} freed`;
}

function percent(share) {
    return Math.round(share * 100);
}
