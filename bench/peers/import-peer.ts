import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A package that tidemark is compared with. */
export interface Peer {
  readonly version: string
  /** What it exports. Not typed: types must check out where the package is not installed. */
  readonly exports: unknown
}

/** Imports a package that is installed here, in `bench/peers`; null when it is not. */
export async function importPeer(name: string): Promise<Peer | null> {
  const packageFile = join(import.meta.dirname, 'node_modules', name, 'package.json')
  if (!existsSync(packageFile)) return null
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string }
  return { version, exports: await import(name) }
}
