import { join } from 'node:path'

/**
 * What the processes that are measured start with. An installed tidemark is JavaScript; these run from its source,
 * of which Node would strip the types in each of them, with some 30 MB: here only the first one does.
 */
export const withCompileCache: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_COMPILE_CACHE: join(import.meta.dirname, '../node_modules/.cache/bench'),
}
