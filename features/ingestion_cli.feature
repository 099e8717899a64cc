Feature: Ingesting from the command line
  `rag ingest` takes files however they are named, says of each what became of it, and does nothing
  twice.

  Background:
    Given these files
      | path                | text                                |
      | docs/parking.md     | Parking costs 4 EUR a day.          |
      | docs/deep/lunch.txt | Lunch is served from noon to two.   |
      | docs/deep/plan.png  | no picture                          |
      | docs/empty.md       |                                     |

  Scenario: A folder is summed up by outcome, and again it is unchanged
    When I run "ingest docs"
    Then the exit status is 1
    And the outcome is 2 indexed, 0 unchanged, 1 failed, 1 skipped
    And the reason for "empty.md" mentions "is empty"
    When I run "ingest docs"
    Then the outcome is 0 indexed, 2 unchanged, 1 failed, 1 skipped
    And a search for "parking" finds "parking.md"

  Scenario: A glob and an archive
    Given the archive "more.tgz" of "docs"
    When I run "ingest docs/*/*.txt more.tgz"
    Then the outcome is 3 indexed, 0 unchanged, 1 failed, 1 skipped
    And a search for "parking" finds "more.tgz/docs/parking.md"

  Scenario: A glob that matches nothing
    When I run "ingest docs/*.pdf"
    Then the exit status is 2
    And it says "'docs/*.pdf' matches no file"

  Scenario: A manifest says more of its files
    Given the manifest "m.jsonl" that names "docs/parking.md" as "rules/parking"
    When I run "ingest --manifest m.jsonl"
    Then the exit status is 0
    And the outcome is 1 indexed, 0 unchanged, 0 failed, 0 skipped
    And a search for "parking" finds "rules/parking"
