import pg from 'pg'
import { onTestFinished } from 'vitest'
import { startServer } from '../sequencer/start-server.ts'
import { type MovingAddress, openAddress } from '../support/moving-address.ts'
import { type Standby, startStandby, untilReplayed } from '../support/servers/start-standby.ts'

export interface Pair {
  /** Leads clients to the primary, and after the failover to the one that was promoted. */
  readonly address: MovingAddress
  /** The first primary itself, by no address that moves. */
  readonly connectionString: string
  readonly pool: pg.Pool
  readonly standby: Standby
  /** From now on the standby receives nothing more. It has all that was written until now. */
  separate(): Promise<void>
  /** Crashes the primary, if it still runs. */
  crash(): void
  /** Crashes the primary and promotes the standby. The address leads nowhere until it is moved. */
  failOver(): Promise<pg.Pool>
}

/** Starts a primary with a log and its physical standby; both end with the test. */
export async function startPair(
  settings: Readonly<Record<string, string>> = {},
  standbySettings: Readonly<Record<string, string>> = {},
): Promise<Pair> {
  const { server, connectionString, pool } = await startServer(settings)
  const [address, link] = await Promise.all([
    openAddress(connectionString),
    openAddress(connectionString),
  ])
  const standby = await startStandby(server, {
    primaryPort: link.port,
    settings: { ...settings, ...standbySettings },
  })
  const crash = () => {
    address.moveTo(undefined)
    process.kill(server.pid, 'SIGQUIT')
  }
  return {
    address,
    connectionString,
    pool,
    standby,
    separate: async () => {
      await untilReplayed(pool, standby)
      link.moveTo(undefined)
    },
    crash,
    failOver: async () => {
      crash()
      await standby.promote()
      return openPool(standby.connectionString)
    },
  }
}

/** Opens a pool that ends with the test. */
export function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  return pool
}
