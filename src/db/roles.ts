import type pg from 'pg'
import type { LogNames } from './log-names.ts'
import { sqlstate, sqlstateOf } from './sqlstate.ts'

/** Which group roles of a log there are, and what is to do about the others. */
export interface RolesFound {
  readonly roles: readonly string[]
  readonly warnings: readonly string[]
}

interface Row {
  readonly name: string
  readonly is_group: boolean
}

/**
 * Creates the group roles of a log, unless they exist or the user may not. A role of such a name that
 * can log in is somebody's own: it is left alone, and gets nothing.
 *
 * Roles are per cluster, so another database may create them at the same moment; then one of the two
 * finds them. Call it outside of a transaction.
 */
export async function ensureRoles(client: pg.ClientBase, names: LogNames): Promise<RolesFound> {
  const wanted = Object.values(names.roles)
  const found = await findRoles(client, wanted)
  const denied: string[] = []
  for (const role of wanted) {
    if (found.some(({ name }) => name === role)) continue
    if (!(await createRole(client, role))) denied.push(role)
  }
  const taken = found.filter((role) => !role.is_group).map(({ name }) => name)
  return {
    roles: wanted.filter((role) => !denied.includes(role) && !taken.includes(role)),
    warnings: [...taken.map(isTaken), ...(denied.length === 0 ? [] : [areMissing(denied)])],
  }
}

async function findRoles(client: pg.ClientBase, names: readonly string[]): Promise<readonly Row[]> {
  const { rows } = await client.query<Row>(
    /* sql */ `
    select rolname::text as name, not rolcanlogin and not rolsuper as is_group
    from pg_roles
    where rolname = any ($1)
    order by rolname`,
    [names],
  )
  return rows
}

/** @returns false when the user may not create roles. */
async function createRole(client: pg.ClientBase, role: string): Promise<boolean> {
  try {
    await client.query(`create role ${role} nologin`)
    return true
  } catch (error) {
    const state = sqlstateOf(error)
    if (state === sqlstate.insufficientPrivilege) return false
    // The index finds what was created since this statement began.
    if (state === sqlstate.duplicateObject || state === sqlstate.uniqueViolation) return true
    throw error
  }
}

function isTaken(role: string): string {
  return (
    `role "${role}" can log in or is a superuser, so it was taken for somebody's own and granted ` +
    'nothing: rename it, and migrate again, or grant privileges yourself (docs/privileges.md).'
  )
}

function areMissing(roles: readonly string[]): string {
  const statements = roles.map((role) => `create role ${role} nologin;`).join(' ')
  return (
    'this user may not create roles, and those to which the log is granted do not exist: only the ' +
    `log's owner can use it. As an administrator run: ${statements} Then migrate again.`
  )
}
