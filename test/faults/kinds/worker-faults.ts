import { advisoryLockKey } from '../../../src/db/log-names.ts'
import { pause } from '../../../src/db/wait.ts'
import type { Fault, FaultContext } from './fault-context.ts'

/** Faults of worker processes and of their connections. */
export const workerFaults = {
  'worker killed': async ({ workers, random }) => {
    const place = workers.choose(random, random.chance(0.6))
    if (place === undefined) return false
    workers.kill(place)
    return true
  },

  /**
   * A worker stands still for seconds. Often its lock's connection is ended meanwhile, as a firewall
   * does: another leads, and the one that is woken believes that it still does.
   */
  'worker stopped': async (context) => {
    const { workers, random, signal } = context
    const place = workers.choose(random, random.chance(0.8))
    if (place === undefined) return false
    workers.stop(place)
    try {
      await pause(random.between(50, 1_000), signal)
      if (random.chance(0.6)) await endLeader(context)
      await pause(random.between(500, 8_000), signal)
    } finally {
      workers.wake(place)
    }
    return true
  },

  /** Asked to end; the next one in its place may take the other mode. */
  'mode switched': async ({ workers, random }) => {
    const place = workers.choose(random, random.chance(0.7))
    if (place === undefined) return false
    workers.ask(place)
    return true
  },

  'backends terminated': async ({ server, random }) => {
    const share = random.between(2, 10) / 10
    const { rows } = await server.pool.query(
      /* sql */ `
      select pg_terminate_backend(pid)
      from pg_stat_activity
      where application_name like 'tidemark%'
        and random() < $1`,
      [share],
    )
    return rows.length > 0
  },
} as const satisfies Record<string, Fault>

/** Ends the connection that holds the leader lock. */
async function endLeader({ server }: FaultContext): Promise<void> {
  const key = advisoryLockKey('tidemark', 'leader')
  const [high, low] = [BigInt.asUintN(64, key) >> 32n, key & 0xffff_ffffn]
  await server.pool.query(
    /* sql */ `
    select pg_terminate_backend(pid)
    from pg_locks
    where locktype = 'advisory'
      and classid::bigint = $1
      and objid::bigint = $2
      and granted`,
    [high.toString(), low.toString()],
  )
}
