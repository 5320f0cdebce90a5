/** Names inside a sandbox that are Berth's own, the same for every driver of this machine. */
export const insideSocketDirectory = '/run/berth';
export const insideProxyPort = 3128;
export { insideTools } from '../tools/layout.ts';
