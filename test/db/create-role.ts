import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { queryOnce } from '../support/query-once.ts'

/** A role of the run's server, with a password. */
export interface TestRole extends AsyncDisposable {
  readonly name: string
  readonly password: string
  /** The same connection string for this role. */
  loginTo(connectionString: string): string
}

/**
 * Creates a role that can log in and is no superuser. Its disposal drops it, so the databases in
 * which it owns anything have to be gone by then.
 */
export async function createRole(attributes = ''): Promise<TestRole> {
  const { connectionString: serverUrl, databasePrefix } = inject('postgres')
  const name = `${databasePrefix}_role_${randomBytes(4).toString('hex')}`
  const password = `secret-${randomBytes(8).toString('hex')}`
  await queryOnce(serverUrl, `create role ${name} login password '${password}' ${attributes}`)
  return {
    name,
    password,
    loginTo: (connectionString) => {
      const url = new URL(connectionString)
      url.username = name
      url.password = password
      return url.href
    },
    [Symbol.asyncDispose]: async () => {
      await queryOnce(serverUrl, `drop role ${name}`)
    },
  }
}
