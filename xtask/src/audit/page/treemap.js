"use strict";

// Lays items out in a rectangle, each as large as its weight, and as square as can be (the squarified treemap).
function squarify(items, x, y, width, height) {
  const placed = [];
  const total = items.reduce((sum, item) => sum + item.weight, 0);
  const scale = total > 0 ? (width * height) / total : 0;
  let row = [];
  let rest = items.slice().sort((one, other) => other.weight - one.weight);
  const worst = (row, side) => {
    const area = row.reduce((sum, item) => sum + item.weight * scale, 0);
    const sizes = row.map((item) => item.weight * scale);
    const most = Math.max(...sizes), least = Math.min(...sizes);
    return Math.max((side * side * most) / (area * area), (area * area) / (side * side * least));
  };
  const place = () => {
    const area = row.reduce((sum, item) => sum + item.weight * scale, 0);
    const isColumn = width >= height;
    const side = isColumn ? height : width;
    const thickness = side > 0 ? area / side : 0;
    let offset = 0;
    for (const item of row) {
      const length = thickness > 0 ? (item.weight * scale) / thickness : 0;
      placed.push(isColumn
        ? { item, x, y: y + offset, width: thickness, height: length }
        : { item, x: x + offset, y, width: length, height: thickness });
      offset += length;
    }
    if (isColumn) { x += thickness; width -= thickness; } else { y += thickness; height -= thickness; }
    row = [];
  };
  while (rest.length > 0) {
    const side = Math.min(width, height);
    const next = rest[0];
    if (row.length === 0 || worst([...row, next], side) <= worst(row, side)) {
      row.push(next);
      rest = rest.slice(1);
    } else {
      place();
    }
  }
  if (row.length > 0) place();
  return placed;
}

// Lays equal cells out in a grid that fills a rectangle, in order: the cells stay of one size.
function cells(count, width, height) {
  if (count === 0 || width <= 0 || height <= 0) return [];
  const columns = Math.max(1, Math.min(count, Math.round(Math.sqrt((count * width) / height))));
  const rows = Math.ceil(count / columns);
  const result = [];
  for (let index = 0; index < count; index += 1) {
    result.push({
      x: (index % columns) * (width / columns),
      y: Math.floor(index / columns) * (height / rows),
      width: width / columns,
      height: height / rows,
    });
  }
  return result;
}
