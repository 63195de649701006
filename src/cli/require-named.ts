import { TidemarkError } from '../core/tidemark-error.ts'
import { unknownVersion } from '../projections/versions/switch-version.ts'
import type { Store } from '../worker/create-store.ts'
import type { TidemarkConfig } from './config.ts'

/**
 * Refuses a name of which nothing could be parked: neither a subscription of the database has it, nor a task of
 * the config or one whose job gave up.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN
 */
export async function requireNamed(
  store: Store,
  name: string,
  { version }: { readonly version?: number },
  { tasks = [] }: TidemarkConfig,
): Promise<void> {
  const { subscriptions } = await store.status()
  const own = subscriptions.filter((one) => one.name === name)
  const isTask = async () =>
    tasks.some(({ task }) => task === name) || (await store.parked.jobs({ task: name })).length > 0
  if (own.length === 0) {
    if (await isTask()) return
    throw unknownName(name, [...new Set(subscriptions.map((one) => one.name))])
  }
  if (version === undefined || own.some((one) => one.version === version)) return
  throw unknownVersion(name, version)
}

function unknownName(name: string, known: readonly string[]): TidemarkError {
  const list = known.length === 0 ? 'none' : known.map((other) => `"${other}"`).join(', ')
  return new TidemarkError(
    'PROJECTION_UNKNOWN',
    `there is no projection, reactor, process, relay or task "${name}"; known: ${list}`,
    { details: { projection: name, known } },
  )
}
