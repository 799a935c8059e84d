// A masonry: cards stay in the document in the order of the feed, and each is placed in the shortest column.

import { make } from "./dom.js";

const PLACEHOLDER_HEIGHTS = [268, 340, 232, 300, 372, 250];

export class Wall {
  /** `columnWidth`: the width that columns come close to; two columns at least, unless `single` is met. */
  constructor(node, { columnWidth = 244, columnsMin = 2 } = {}) {
    this.node = node;
    this.columnWidth = columnWidth;
    this.columnsMin = columnsMin;
    this.width = 0;
    this.frame = 0;
    this.observer = new ResizeObserver((entries) => {
      const own = entries.find((entry) => entry.target === this.node);
      if (own && entries.length === 1 && own.contentRect.width === this.width) return;
      this.schedule();
    });
    this.observer.observe(node);
  }

  cards() { return [...this.node.children].filter((child) => child.classList.contains("card")); }
  columns() {
    const gap = this.gap();
    return Math.max(this.columnsMin, Math.min(8, Math.floor((this.node.clientWidth + gap) / (this.columnWidth + gap))));
  }
  gap() { return parseFloat(getComputedStyle(this.node).getPropertyValue("--gap")) || 16; }

  append(...cards) {
    for (const card of cards) {
      card.style.animationDelay = `${Math.min(24 * cards.indexOf(card), 320)}ms`;
      this.node.append(card);
      this.observer.observe(card);
    }
    this.number();
    this.layout();
  }

  remove(...cards) {
    for (const card of cards) {
      this.observer.unobserve(card);
      card.remove();
    }
    this.number();
    this.schedule();
  }

  clear() {
    for (const child of [...this.node.children]) this.observer.unobserve(child);
    this.node.replaceChildren();
    this.node.style.height = "";
  }

  /** Grey cards while an answer is on its way; they go with the next `dropPlaceholders` or `clear`. */
  placeholders(count = 2 * this.columns()) {
    for (let i = 0; i < count; ++i) {
      this.node.append(make("div", { class: "skeleton", "aria-hidden": "true", style: `height:${PLACEHOLDER_HEIGHTS[i % PLACEHOLDER_HEIGHTS.length]}px` }));
    }
    this.layout();
  }
  dropPlaceholders() { this.node.querySelectorAll(".skeleton").forEach((node) => node.remove()); }

  number() {
    this.cards().forEach((card, index) => {
      card.setAttribute("aria-posinset", index + 1);
      card.setAttribute("aria-setsize", -1);
    });
  }

  schedule() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.layout());
  }

  layout() {
    this.width = this.node.clientWidth;
    if (!this.width) return;
    const gap = this.gap(), columns = this.columns();
    const width = (this.width - gap * (columns - 1)) / columns;
    const children = [...this.node.children];
    for (const child of children) child.style.width = `${width}px`;
    const heights = children.map((child) => child.offsetHeight);
    const ends = new Array(columns).fill(0);
    children.forEach((child, index) => {
      let column = 0;
      for (let other = 1; other < columns; ++other) if (ends[other] < ends[column] - 1) column = other;
      child.style.left = `${column * (width + gap)}px`;
      child.style.top = `${ends[column]}px`;
      ends[column] += heights[index] + gap;
    });
    this.node.style.height = `${Math.max(0, Math.max(...ends) - gap)}px`;
  }
}
