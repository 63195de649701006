import { existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { TidemarkConfig } from './config.ts'
import { explainImportFailure } from './import-failure.ts'

export const configFileNames = [
  'tidemark.config.ts',
  'tidemark.config.mts',
  'tidemark.config.js',
  'tidemark.config.mjs',
] as const

/** A config, and the file it came from as people name it. */
export interface LoadedConfig {
  readonly path: string
  readonly config: TidemarkConfig
}

/**
 * Loads the config file that is named, else the one in the current directory.
 *
 * @returns undefined when none is named and the directory has none.
 * @throws CONFIG_NOT_FOUND when the file that is named does not exist.
 * @throws CONFIG_INVALID with the reason in one line.
 */
export async function loadConfig(
  cwd: string,
  named: string | undefined,
): Promise<LoadedConfig | undefined> {
  const file = findConfig(cwd, named)
  if (file === undefined) return undefined
  const path = displayPath(cwd, file)
  const exported = await importDefault(file, path, cwd)
  const { checkConfig } = await import('./check-config.ts')
  const check = checkConfig(exported)
  if (check.config === undefined) throw invalidConfig(path, check.reason)
  return { path, config: check.config }
}

/** Says what is wrong with a config file. */
export function invalidConfig(path: string, reason: string, cause?: unknown): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `config file "${path}": ${reason}`, {
    details: { path, reason },
    cause,
  })
}

function findConfig(cwd: string, named: string | undefined): string | undefined {
  if (named === undefined) {
    return configFileNames.map((name) => join(cwd, name)).find((file) => existsSync(file))
  }
  const file = resolve(cwd, named)
  if (existsSync(file)) return file
  throw new TidemarkError('CONFIG_NOT_FOUND', `there is no config file "${named}"`, {
    details: { path: named },
  })
}

function displayPath(cwd: string, file: string): string {
  const path = relative(cwd, file)
  return path.startsWith('..') || isAbsolute(path) ? file : path
}

async function importDefault(file: string, path: string, cwd: string): Promise<unknown> {
  const module = await importQuietly(file).catch((error: unknown) => {
    throw invalidConfig(path, explainImportFailure(error, file, cwd), error)
  })
  if ('default' in module) return module.default
  throw invalidConfig(path, 'no default export: write `export default defineConfig({ … })`')
}

/**
 * Imports a module without Node's advice on how the file could be loaded faster, which would stand
 * before the output of every command.
 */
async function importQuietly(file: string): Promise<Record<string, unknown>> {
  const { emitWarning } = process
  process.emitWarning = (...args: unknown[]) => {
    if (!isLoaderAdvice(args)) Reflect.apply(emitWarning, process, args)
  }
  try {
    return await beforeIdle(import(pathToFileURL(file).href))
  } finally {
    process.emitWarning = emitWarning
  }
}

function isLoaderAdvice([warning, options]: readonly unknown[]): boolean {
  const { code } = Object(options) as { code?: unknown }
  return (
    code === 'MODULE_TYPELESS_PACKAGE_JSON' || String(warning).startsWith('Type Stripping is an')
  )
}

/** Fails when the process runs out of things to do first: then a top-level await never ends. */
async function beforeIdle<T>(work: Promise<T>): Promise<T> {
  const idle = Promise.withResolvers<never>()
  const fail = () => idle.reject(new Error('its top-level await never ends'))
  process.once('beforeExit', fail)
  try {
    return await Promise.race([work, idle.promise])
  } finally {
    process.removeListener('beforeExit', fail)
  }
}
