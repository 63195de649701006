import type { Store } from '../worker/create-store.ts'
import type { TidemarkConfig } from './config.ts'
import type { ParkedOptions } from './parked-options.ts'

/**
 * Finds out which relay's messages are meant: that of `--relay`, or one by its name, when nothing else that could
 * have something parked has the name.
 *
 * @returns undefined when it is not messages.
 */
export async function nameRelay(
  store: Store,
  name: string | undefined,
  { relay, job }: ParkedOptions,
  { tasks = [] }: TidemarkConfig,
): Promise<string | undefined> {
  if (relay !== undefined || job !== undefined || name === undefined) return relay
  const { subscriptions } = await store.status()
  const kinds = subscriptions.filter((one) => one.name === name).map(({ kind }) => kind)
  const isAlone =
    kinds.every((kind) => kind === 'relay') && tasks.every(({ task }) => task !== name)
  return kinds.length > 0 && isAlone ? name : undefined
}
