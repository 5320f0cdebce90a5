export { type PooledDriver, WarmPool } from './warm-pool.ts';
export { keeperOf } from './member.ts';
export type { PoolOrder, PoolState, PoolWish } from './filler.ts';
