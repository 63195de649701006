import type { AuthorFigure, FileFigure } from '../../../examples/git-history/git-figures.ts'
import type { Commit } from '../../../examples/git-history/git-log.ts'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Sorts figures, so that two lists of them can be compared. */
export function byId<Figure extends { readonly id: string }>(figures: Iterable<Figure>): Figure[] {
  return [...figures].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Sums commits up as {@link AuthorFigure}s, sorted. */
export function authorFiguresOf(commits: readonly Commit[]): AuthorFigure[] {
  const figures = new Map<string, Mutable<AuthorFigure>>()
  for (const { authorId: id, authorEmail: email, files } of commits) {
    const figure = figures.get(id) ?? { id, email, commits: 0, additions: 0, deletions: 0 }
    figures.set(id, figure)
    figure.commits += 1
    for (const file of files) {
      figure.additions += file.additions ?? 0
      figure.deletions += file.deletions ?? 0
    }
  }
  return byId(figures.values())
}

/** Sums commits up as {@link FileFigure}s, sorted. */
export function fileFiguresOf(commits: readonly Commit[]): FileFigure[] {
  const figures = new Map<string, Mutable<FileFigure>>()
  for (const { id, path, additions, deletions } of commits.flatMap(({ files }) => files)) {
    const figure = figures.get(id) ?? { id, path, changes: 0, additions: 0, deletions: 0 }
    figures.set(id, figure)
    figure.changes += 1
    figure.additions += additions ?? 0
    figure.deletions += deletions ?? 0
  }
  return byId(figures.values())
}
