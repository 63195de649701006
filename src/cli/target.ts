import { type Logger, silentLogger } from '../core/logger.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { Store } from '../worker/create-store.ts'
import type { TidemarkConfig } from './config.ts'
import { explainServerError } from './explain-server-error.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'
import { configFileNames, invalidConfig, type LoadedConfig, loadConfig } from './load-config.ts'

/** The log that a command is about, and the config file if there is one. */
export interface Target {
  readonly connectionString: string
  /** Schema of the log; the library's default when neither option nor config names one. */
  readonly schema?: string
  readonly config: TidemarkConfig
}

/**
 * Finds out which log is meant: by the options, else by the config file, else by the environment.
 *
 * @throws CONFIG_NOT_FOUND when nothing names a database, CONFIG_INVALID
 */
export async function resolveTarget(options: GlobalOptions, host: Host): Promise<Target> {
  return toTarget(options, host, await loadConfig(host.cwd, options.config))
}

/**
 * Does the same for a command that needs the definitions of a config file.
 *
 * @throws CONFIG_NOT_FOUND without a config file, CONFIG_INVALID
 */
export async function requireDefinitions(options: GlobalOptions, host: Host): Promise<Target> {
  const loaded = await loadConfig(host.cwd, options.config)
  if (loaded !== undefined) return toTarget(options, host, loaded)
  throw notFound(
    `there is no ${configFileNames.join(', ')} in this directory: run \`tidemark init\` to write ` +
      'one, or name it with --config',
  )
}

/**
 * Opens the log for as long as `use` takes. The library is loaded only then, as everywhere here: help
 * and mistakes are told three times as fast.
 */
export async function withStore<T>(
  { connectionString, schema, config }: Target,
  use: (store: Store) => Promise<T>,
  logger: Logger = silentLogger,
): Promise<T> {
  const { createStore } = await import('../worker/create-store.ts')
  const work = async () => {
    await using store = await createStore({
      connectionString,
      logger,
      ...(schema === undefined ? {} : { schema }),
      ...(config.jobSchema === undefined ? {} : { jobSchema: config.jobSchema }),
    })
    return await use(store)
  }
  return await explainServerError(connectionString, work())
}

function toTarget(options: GlobalOptions, host: Host, loaded: LoadedConfig | undefined): Target {
  const connectionString =
    options.databaseUrl ?? loaded?.config.connectionString ?? (host.env.DATABASE_URL || undefined)
  if (connectionString === undefined) throw noDatabase(loaded)
  const schema = options.schema ?? loaded?.config.schema
  return {
    connectionString,
    ...(schema === undefined ? {} : { schema }),
    config: loaded?.config ?? {},
  }
}

function noDatabase(loaded: LoadedConfig | undefined): TidemarkError {
  const remedy = 'pass --database-url or set DATABASE_URL'
  if (loaded !== undefined) {
    return invalidConfig(loaded.path, `it has no \`connectionString\`: set it, ${remedy}`)
  }
  return notFound(
    `no database is named: ${remedy}, or write a ${configFileNames[0]} with \`tidemark init\``,
  )
}

function notFound(message: string): TidemarkError {
  return new TidemarkError('CONFIG_NOT_FOUND', message, { details: { path: configFileNames[0] } })
}
