import { changeSubscription } from './change-subscription.ts'
import { chooseVersionChange, type VersionState } from './choose-version-change.ts'
import type { Fault } from './fault-context.ts'

/** Changes of the versions of projections while everything runs; a part of them dies on the way. */
export const versionFaults = {
  'version changed': async (context) => {
    const { random, server, calm } = context
    const projection = random.pick(['accounts', 'divided', 'prompt'])
    const { rows } = await server.pool.query<VersionState>(
      'select version, state from tidemark.projections where name = $1 order by version',
      [projection],
    )
    const chosen = chooseVersionChange(rows, random)
    const partitions = random.pick([1, 1, 2, 5])
    // Appends are waited for when a version takes the place of one that is inline.
    using _calm = random.chance(0.7) ? calm.begin() : undefined
    return changeSubscription(context, { projection, partitions, ...chosen })
  },

  /** The projection goes with its tables; a worker that knows it begins it anew. */
  'subscription removed': (context) =>
    changeSubscription(context, { change: 'remove', projection: 'last_entries' }),
} as const satisfies Record<string, Fault>
