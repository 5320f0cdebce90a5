export { buildTools, toolsDirectory } from './build-tools.ts';
export { insideTools, toolPaths } from './layout.ts';
