import type { Store, Token } from '../../src/index.ts'
import type { Commit } from './git-log.ts'
import { repositoryStream, toAppends } from './to-appends.ts'

export interface ImportResult {
  readonly commits: number
  readonly events: number
  /** Names the last commit's transaction; undefined when nothing was appended. */
  readonly token: Token | undefined
}

/** Reads how many commits of a repository are in the log: an import that was cut off goes on. */
export async function importedCommits(store: Store, repository: string): Promise<bigint> {
  return store.streamVersion(repositoryStream(repository))
}

/**
 * Appends commits in their order, each as one transaction.
 *
 * @param version the repository stream's version before the first of them.
 */
export async function importCommits(
  store: Store,
  repository: string,
  commits: AsyncIterable<Commit>,
  version: bigint,
  onCommit: (events: number) => void,
): Promise<ImportResult> {
  let imported = 0
  let events = 0
  let token: Token | undefined
  for await (const commit of commits) {
    const appends = toAppends(repository, commit, version + BigInt(imported))
    const [result] = await store.appendMany(appends)
    token = result?.token
    imported += 1
    events += 1 + commit.files.length
    onCommit(1 + commit.files.length)
  }
  return { commits: imported, events, token }
}
