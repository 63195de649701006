import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** The account a program runs as; empty for the account we already have. */
export interface ServerAccount {
  readonly uid?: number
  readonly gid?: number
}

/**
 * Chooses the account that PostgreSQL runs as. The server refuses to run as root, so root hands it
 * to an account that exists already: `postgres`, else `nobody`. None is created, because starting
 * a throw-away server should not change the machine.
 *
 * @throws Error when we are root and neither account exists.
 */
export async function chooseServerAccount(): Promise<ServerAccount> {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    const account = await findAccount(name)
    if (account !== undefined) return account
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is no account "postgres" or "nobody" to run it ' +
      'as: run as another user, or create one: useradd --system postgres',
  )
}

async function findAccount(name: string): Promise<ServerAccount | undefined> {
  try {
    const [uid, gid] = await Promise.all([id('-u', name), id('-g', name)])
    return { uid, gid }
  } catch {
    return undefined
  }
}

async function id(flag: string, name: string): Promise<number> {
  const { stdout } = await promisify(execFile)('id', [flag, name])
  return Number.parseInt(stdout, 10)
}
