import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const libraryUrl = pathToFileURL(join(import.meta.dirname, '../../src/index.ts')).href

/**
 * Makes a user's project in a temporary directory: `tidemark` and `zod` can be imported as if they
 * were installed. Its disposal removes it.
 *
 * @param files texts by path.
 */
export async function makeProject(
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-project-'))
  const all = {
    // Without "type": that is how `npm init` makes it.
    'package.json': '{ "name": "app" }',
    'node_modules/tidemark/package.json': '{ "type": "module", "exports": "./index.js" }',
    'node_modules/tidemark/index.js': `export * from '${libraryUrl}'`,
    ...files,
  }
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
  const zod = dirname(fileURLToPath(import.meta.resolve('zod/package.json')))
  await symlink(zod, join(directory, 'node_modules/zod'), 'junction')
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
}
