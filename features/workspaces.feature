Feature: Workspaces
  A workspace keeps its documents apart, and its configuration with its history.

  Background:
    Given a workspace with these documents
      | source_id            | text                                                                          |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                                   |
      | policies/travel.txt  | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days. |
      | policies/remote.txt  | Employees may work remotely three days a week.                                |

  Scenario: A new workspace is listed, and begins with the deployment's configuration
    Then the list of workspaces holds it
    And its configuration is at version 1

  Scenario: Two workspaces do not see each other's documents
    Given another workspace with these documents
      | source_id            | text                                         |
      | policies/refunds.txt | Refunds are paid within 21 days of purchase. |
    When I ask "How fast are refunds paid?" there
    Then the answer says "21 days"
    And "7 days" appears nowhere
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And "21 days" appears nowhere
    When I search "hotels reimbursed night" there
    Then "140 EUR" appears nowhere
    And the list holds "policies/refunds.txt" once

  Scenario: Deleting a document in one workspace leaves the other's alone
    Given another workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I delete "policies/refunds.txt"
    And I ask "How fast are refunds paid?" there
    Then the answer says "7 days"

  Scenario: A changed configuration is used at once
    When I ask "How fast are refunds paid?"
    And I change the configuration: fusion by rrf
    Then its configuration is at version 2
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And the answer was made anew, by configuration version 2

  Scenario: A stale change is refused
    When I change the configuration: fusion by rrf
    And I change the configuration: fusion by rrf, expecting version 1
    Then it is refused with 409 and the code "stale_configuration"
    And the reason mentions "version 2"
    And its configuration is at version 2

  Scenario Outline: A configuration that cannot work is refused
    When I change the configuration: <change>
    Then it is refused with 422 and the code "<code>"
    And the reason mentions "<words>"
    And its configuration is at version 1

    Examples:
      | change                        | code            | words                   |
      | generator defalt              | unknown_backend | did you mean 'default'? |
      | retriever nothing-like-it     | unknown_backend | there are 'default'     |
      | fusion by guessing            | invalid_request | method                  |
      | fusion without weights        | invalid_request | weights                 |
      | chunks of 3 tokens            | invalid_request | tokens                  |
      | chunks by guessing            | invalid_request | strategy                |
      | a stray option                | unknown_field   | colour                  |

  Scenario Outline: Chunking cannot be changed under documents that are indexed
    When I change the configuration: <change>
    Then it is refused with 409 and the code "needs_reindexing"

    Examples:
      | change              |
      | chunks of 64 tokens |
      | chunks by topic     |

  Scenario Outline: A workspace chooses how its documents are cut
    Given a workspace whose documents are cut by "<strategy>"
    When I upload a document that speaks of refunds, and then of lockers
    And I search "refunds paid to the card"
    Then the first hit speaks of <topics>
    And every hit is the span that it names

    Examples:
      | strategy  | topics              |
      | recursive | refunds and lockers |
      | sentence  | refunds and lockers |
      | structure | refunds alone       |
      | semantic  | refunds alone       |

  Scenario: Counting generations up loses no document
    When I change the configuration: generation 2
    And I upload "faq/parking.txt" saying "Parking costs 4 EUR a day."
    And I ask "What does parking cost a day?"
    Then the answer says "4 EUR"
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"

  Scenario: A configuration is rolled back
    When I change the configuration: fusion by rrf
    And I roll the configuration back to version 1
    Then its configuration is at version 3
    And version 3 of its configuration is the same as version 1
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"

  Scenario: A roll-back to what never was is refused
    When I roll the configuration back to version 9
    Then it is refused with 404 and the code "unknown_version"

  Scenario: A deleted workspace is gone, and its name is free
    When I ask "How fast are refunds paid?"
    And I delete the workspace
    And I ask "How fast are refunds paid?"
    Then it is refused with 404 and the code "unknown_workspace"
    When I create the workspace again
    And I ask "How fast are refunds paid?"
    Then the answer is that the documents do not say
    And "7 days" appears nowhere
    And the list is empty

  Scenario Outline: What is no workspace is refused
    When I create the workspace "<name>"
    Then it is refused with <status> and the code "<code>"

    Examples:
      | name           | status | code              |
      | Legal Dept     | 422    | invalid_workspace |
      | ../../etc      | 422    | invalid_workspace |
      | default        | 409    | workspace_exists  |

  Scenario: A workspace that is not there cannot be deleted
    When I delete the workspace "nowhere"
    Then it is refused with 404 and the code "unknown_workspace"
