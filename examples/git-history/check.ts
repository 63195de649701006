import type { Answers } from './answers.ts'
import { authorFigures, countMerges, fileFigures } from './git-figures.ts'

/** Compares the projections' answers with git's own figures; returns one line per difference. */
export async function findDifferences(
  repository: string,
  limit: number | undefined,
  answers: Answers,
): Promise<readonly string[]> {
  const authors = await authorFigures(repository, limit)
  const paths = await fileFigures(repository, limit)
  const merges = await countMerges(repository, limit)
  const commits = authors.reduce((sum, author) => sum + author.commits, 0)
  const author = ({ commits: n, additions, deletions }: Lines & { commits: number }) =>
    `${n} commits, +${additions} -${deletions}`
  const file = ({ changes, additions, deletions }: Lines & { changes: number }) =>
    `${changes} changes, +${additions} -${deletions}`
  return [
    ...compare('contributor', toMap(authors, author), toMap(answers.contributors, author)),
    ...compare('file', toMap(paths, file), toMap(answers.files, file)),
    ...compareTotal(
      'merges',
      merges,
      answers.contributors.map((row) => row.merges),
    ),
    ...compareTotal(
      'commits by day',
      commits,
      answers.days.map((row) => row.commits),
    ),
  ]
}

interface Lines {
  readonly additions: number
  readonly deletions: number
}

function toMap<T extends { readonly id: string }>(
  rows: readonly T[],
  describe: (row: T) => string,
): ReadonlyMap<string, string> {
  return new Map(rows.map((row) => [row.id, describe(row)]))
}

function compare(
  what: string,
  expected: ReadonlyMap<string, string>,
  actual: ReadonlyMap<string, string>,
): string[] {
  const ids = new Set([...expected.keys(), ...actual.keys()])
  return [...ids]
    .filter((id) => expected.get(id) !== actual.get(id))
    .map((id) => {
      const said = { git: expected.get(id) ?? 'nothing', tidemark: actual.get(id) ?? 'nothing' }
      return `${what} ${JSON.stringify(id)}: git says ${said.git}; the projection ${said.tidemark}`
    })
}

function compareTotal(what: string, expected: number, counts: readonly number[]): string[] {
  const actual = counts.reduce((sum, count) => sum + count, 0)
  return actual === expected ? [] : [`${what}: git says ${expected}; the projection ${actual}`]
}
