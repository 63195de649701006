import type { CommitTime } from './calendar.ts'
import type { HistoryCommit } from './history.ts'
import type { Author, ByteString } from './odd-names.ts'
import type { Change } from './tree.ts'

const COMMITTER: Author = { name: 'Merge Queue', email: 'queue@example.com' }

/** Writes a commit in the language of `git fast-import`. */
export function toFastImport(commit: HistoryCommit): ByteString {
  const { number, branch, parents, author, times } = commit
  const [first, ...others] = parents
  const committer = number % 3 === 0 ? COMMITTER : author
  return [
    // Without a parent a known branch would go on; a root needs a clean one.
    first === undefined ? `reset refs/heads/${branch}\n` : '',
    `commit refs/heads/${branch}\n`,
    `mark :${number}\n`,
    signature('author', author, times.authored),
    signature('committer', committer, times.committed),
    author.encoding === undefined ? '' : `encoding ${author.encoding}\n`,
    data(commit.message),
    first === undefined ? '' : `from :${first}\n`,
    ...others.map((parent) => `merge :${parent}\n`),
    ...commit.changes.map(fileChange),
    '\n',
  ].join('')
}

function signature(role: string, { name, email }: Author, { seconds, zone }: CommitTime): string {
  return `${role} ${name === '' ? '' : `${name} `}<${email}> ${seconds} ${zone}\n`
}

function fileChange({ path, state }: Change): ByteString {
  if (state === undefined) return `D ${quoted(path)}\n`
  if (state.mode === '160000') return `M 160000 ${state.content} ${quoted(path)}\n`
  return `M ${state.mode} inline ${quoted(path)}\n${data(state.content)}`
}

function data(content: ByteString): ByteString {
  return `data ${content.length}\n${content}\n`
}

/** Quotes a path as C does, every unusual byte in octal. */
function quoted(path: ByteString): ByteString {
  const escaped = path.replace(/[^\w./@ -]/g, (character) => {
    return `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
  return `"${escaped}"`
}
