export { allocate } from './allocate.js';
export { shares, total, type Line } from './invoice.js';
export { formatAmount, parseAmount, sum, type Cents } from './money.js';
