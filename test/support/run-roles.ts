import pg from 'pg'
import { withClient } from './query-once.ts'

/** Lists the roles of a server, so that a run can tell its own from those that were there. */
export async function listRoles(serverUrl: string): Promise<ReadonlySet<string>> {
  return withClient(serverUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select rolname::text as name from pg_roles',
    )
    return new Set(rows.map(({ name }) => name))
  })
}

/**
 * Drops the group roles of the logs that a run installed, which outlive its databases. Those that
 * another run uses as well stay.
 */
export async function dropRunRoles(serverUrl: string, before: ReadonlySet<string>): Promise<void> {
  const now = await listRoles(serverUrl)
  await withClient(serverUrl, async (client) => {
    for (const name of now) {
      if (before.has(name) || !/_(append|read|worker)$/.test(name)) continue
      await client.query(`drop role if exists ${pg.escapeIdentifier(name)}`).catch(unlessInUse)
    }
  })
}

/** 2BP01: some database still grants it something. */
function unlessInUse(error: unknown): void {
  if ((error as { code?: unknown }).code !== '2BP01') throw error
}
