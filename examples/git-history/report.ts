import { writeFile } from 'node:fs/promises'
import CliTable from 'cli-table3'
import type { Answers } from './answers.ts'

export interface DemoFigures {
  readonly repo: string
  readonly commits: number
  readonly events: number
  readonly largeCommits: number
  readonly seconds: { readonly import: number; readonly rebuild: number }
}

const rowsShown = 8

/** Prints what a person wants to see. */
export function printReport(answers: Answers, figures: DemoFigures): void {
  const { seconds, commits, events } = figures
  print(
    ['contributor', 'commits', 'merges', '+', '-', 'first', 'last'],
    answers.contributors,
    (row) => [
      row.email,
      row.commits,
      row.merges,
      row.additions,
      row.deletions,
      day(row.firstAt),
      day(row.lastAt),
    ],
  )
  print(['file', 'changes', 'authors', '+', '-'], answers.files, (row) => [
    JSON.stringify(row.path).slice(1, -1).slice(0, 60),
    row.changes,
    row.authors,
    row.additions,
    row.deletions,
  ])
  const busiest = [...answers.days].sort((a, b) => b.commits - a.commits)
  print(['busiest day (UTC)', 'commits'], busiest, (row) => [row.day, row.commits])
  say(`imported ${commits} commits as ${events} events in ${seconds.import.toFixed(1)} s`)
  say(`  ${rate(commits, seconds.import)} transactions/s, ${rate(events, seconds.import)} events/s`)
  say(`rebuilt contributors beside the live version in ${seconds.rebuild.toFixed(1)} s`)
  say(`enqueued and ran ${figures.largeCommits} jobs for large commits, each once`)
}

/** Writes the results for programs. */
export async function writeJson(
  path: string,
  answers: Answers,
  figures: DemoFigures,
): Promise<void> {
  const document = {
    repo: figures.repo,
    commits: figures.commits,
    events: figures.events,
    contributors: answers.contributors.map(({ email, commits, additions, deletions }) => ({
      email,
      commits,
      additions,
      deletions,
    })),
    files: answers.files.map(({ path: name, changes, additions, deletions }) => ({
      path: name,
      changes,
      additions,
      deletions,
    })),
    seconds: figures.seconds,
  }
  await writeFile(path, `${JSON.stringify(document, null, 2)}\n`)
}

function print<T>(
  head: readonly string[],
  rows: readonly T[],
  cells: (row: T) => readonly (string | number)[],
): void {
  const table = new CliTable({ head: [...head], style: { head: [], border: [] } })
  for (const row of rows.slice(0, rowsShown)) table.push(cells(row).map(String))
  say(table.toString())
  if (rows.length > rowsShown) say(`… and ${rows.length - rowsShown} more\n`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10)
}

function rate(count: number, seconds: number): number {
  return seconds === 0 ? 0 : Math.round(count / seconds)
}
