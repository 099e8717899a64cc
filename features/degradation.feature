Feature: Going on without a dependency
  When something is down, the answer says so, or fails with a reason; it never looks complete.

  Scenario: The cache is down
    Given a deployment whose cache is a Redis that is down
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And the answer was given without "cache"
    When I ask "How fast are refunds paid?"
    Then the answer was made anew
    And the answer was given without "cache"
    And the service is ready, but lacks "cache"

  Scenario: A deletion is honest about a cache that is down
    Given a deployment whose cache is a Redis that is down
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I delete "policies/refunds.txt"
    Then the receipt says that "cache" is pending
    When I ask "How fast are refunds paid?"
    Then "7 days" appears nowhere

  Scenario Outline: One side of retrieval is down
    Given a deployment that retrieves by vectors and by keywords
    And a workspace with these documents
      | source_id            | text                                                                          |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                                   |
      | policies/travel.txt  | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days. |
    When the <side> index goes down
    And I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And the answer was given without "<missing>"
    When I search "How fast are refunds paid?"
    Then the first hit is "policies/refunds.txt"
    And the search was made without "<missing>"

    Examples:
      | side     | missing           |
      | vectors  | dense_retrieval   |
      | keywords | keyword_retrieval |

  Scenario: A degraded answer is never remembered
    Given a deployment that retrieves by vectors and by keywords
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the vectors index goes down
    And I ask "How fast are refunds paid?"
    And I ask "How fast are refunds paid?"
    Then the answer was made anew
    When every index is up again
    And I ask "How fast are refunds paid?"
    Then the answer was made anew
    And the answer lacks nothing
    When I ask "How fast are refunds paid?"
    Then the answer came from the cache

  Scenario: Both sides of retrieval are down
    Given a deployment that retrieves by vectors and by keywords
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the vectors index goes down
    And the keywords index goes down
    And I ask "How fast are refunds paid?"
    Then it is refused with 503 and the code "unavailable"
    And it says when to try again
    And nothing of the program's inside is shown
    When I ask "How fast are refunds paid?" as a stream, by the field stream
    Then it is refused with 503 and the code "unavailable"
    When every index is up again
    And I ask "How fast are refunds paid?"
    Then the answer says "7 days"

  Scenario: A deployment in good health says so
    Then the service is ready, and lacks nothing
