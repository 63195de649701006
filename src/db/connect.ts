import pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import { watchStatements } from './session/watch-statements.ts'
import { sqlstate, sqlstateOf } from './sqlstate.ts'

export interface ConnectOptions {
  readonly connectionString: string
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string
  /** How long to try. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** Whether statements that are issued without waiting travel together. COPY needs false. Default true. */
  readonly pipeline?: boolean
}

/** Dates in the one style that can be parsed, whatever the database is set to. */
const isoDates = 'set datestyle to iso, ymd'

/**
 * How long a connection may be idle before the system looks whether its other end is still there; it
 * gives up ten seconds later. The system's own delay is two hours.
 */
export const keepAliveDelayMs = 10_000

const defaults = { applicationName: 'tidemark', connectTimeoutMs: 10_000, answerLimitMs: 30_000 }

/**
 * Opens a connection of its own. The caller ends it. A connection that is lost later reports that
 * on the next query; it never raises an unhandled error.
 *
 * @throws CONNECTION_FAILED with the server's reason, never with the password.
 */
export async function connect(options: ConnectOptions): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(options))
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => {})
    throw connectionFailed(options.connectionString, error)
  }
  return client
}

export interface PoolOptions extends ConnectOptions {
  readonly max?: number
  /** How long an answer may take before the server is asked whether it is at work on it. Default 30,000. */
  readonly answerLimitMs?: number
}

/**
 * Makes a pool whose connections may be lost without harm: idle ones are replaced, and a statement fails
 * whose answer the network has swallowed. The caller ends it.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const answerLimitMs = options.answerLimitMs ?? defaults.answerLimitMs
  const pool = new pg.Pool({ ...clientConfig(options), max: options.max ?? 10 })
  pool.on('error', () => {})
  pool.on('connect', (client) => {
    client.on('error', () => {})
    // As a statement, because poolers refuse it as a start-up option. It travels with the first query.
    client.query(isoDates).catch(() => {})
    watchStatements(client, answerLimitMs, () => connect(options))
  })
  return pool
}

function clientConfig(options: ConnectOptions): pg.ClientConfig {
  return {
    connectionString: checkConnectionString(options.connectionString),
    application_name: options.applicationName ?? defaults.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? defaults.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    pipeline: options.pipeline ?? true,
  }
}

function checkConnectionString(connectionString: string): string {
  if (
    URL.canParse(connectionString) &&
    /^postgres(ql)?:$/.test(new URL(connectionString).protocol)
  ) {
    return connectionString
  }
  const reason = 'expected postgres://user:password@host:port/database'
  throw new TidemarkError(
    'OPTION_INVALID',
    `the connection string is not a Postgres URL: ${reason}`,
    {
      details: { option: 'connectionString', reason },
    },
  )
}

/** Turns a failure to connect into an error that names the server and the reason. */
export function connectionFailed(connectionString: string, error: unknown): TidemarkError {
  const target = describeTarget(connectionString)
  const reason = describeReason(error)
  return new TidemarkError('CONNECTION_FAILED', `cannot connect to ${target}: ${reason}`, {
    details: { target, reason },
    cause: error,
  })
}

/** Names a server without its password: `host:port/database as user`. */
export function describeTarget(connectionString: string): string {
  if (!URL.canParse(connectionString)) return 'the server'
  const url = new URL(connectionString)
  const database = decode(url.pathname.slice(1)) || '(default database)'
  const user = url.username === '' ? '' : ` as "${decode(url.username)}"`
  return `${url.hostname || 'localhost'}:${url.port || '5432'}/${database}${user}`
}

function decode(escaped: string): string {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return escaped
  }
}

function describeReason(error: unknown): string {
  const state = sqlstateOf(error)
  if (state === sqlstate.invalidPassword || state === sqlstate.invalidAuthorization) {
    return 'the server refuses this user or password'
  }
  if (state === sqlstate.invalidCatalogName) return 'the database does not exist'
  if (error instanceof AggregateError) return describeReason(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'ECONNREFUSED') return 'no server listens there'
  if ('code' in error && error.code === 'ENOTFOUND') return 'the host is unknown'
  return error.message.split('\n')[0] ?? ''
}
