import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { gitAnswer } from './git-process.ts'

/**
 * Names an import: the same repository with the same newest commit and limit has the same name, so
 * that an import which was cut off goes on, and another history goes to streams of its own.
 */
export async function repositoryId(repository: string, limit: number | undefined): Promise<string> {
  const head = (await gitAnswer(repository, ['rev-parse', 'HEAD'])).toString('latin1')
  const hash = createHash('sha256').update([repository, head, limit ?? 'all'].join('\n'))
  const name = basename(repository.replace(/\/?\.git\/?$/, '')).replaceAll(/[^\w.-]/g, '_')
  return `${name.slice(0, 40)}-${hash.digest('hex').slice(0, 8)}`
}
