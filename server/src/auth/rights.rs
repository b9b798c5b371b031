//! What somebody may do: one table, and one pure function over it.

use app::model::{Actor, Credential, PlatformRole, Role, Scope, TeamId};

/// Something that can be asked, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See oneself.
    ViewSelf,
    /// Change oneself: password, language, sessions, tokens.
    ManageSelf,
    /// Create a team.
    CreateTeam,
    /// See a team, its services, releases, runs and logs.
    ViewTeam,
    /// Leave a team.
    LeaveTeam,
    /// Decide who is in a team.
    ManageTeam,
    /// Create a service.
    CreateService,
    /// Change a service and where it runs.
    ChangeService,
    /// Delete a service with everything of it.
    DeleteService,
    /// Deploy, promote, roll back; cancel a rollout.
    Deploy,
    /// Change how many instances run.
    Scale,
    /// See the values of variables.
    ReadConfig,
    /// Change variables.
    ChangeConfig,
    /// Cancel a run.
    CancelRun,
    /// Run a commit again.
    RetryRun,
    /// Let a run of somebody else's commit go on, who has read it.
    ApproveRun,
    /// Fetch from a repository.
    GitRead,
    /// Push to a repository.
    GitWrite,
    /// Give a service further host names.
    ManageRoutes,
    /// See environments.
    ViewPlatform,
    /// See hosts and people.
    InspectPlatform,
    /// Change the platform and who may use it.
    AdminPlatform,
    /// Read Berth's own figures.
    ReadMetrics,
}

/// Who has a right at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Least {
    /// Everybody who is signed in.
    SignedIn,
    /// Members of the team with at least this role.
    Role(Role),
    /// Administrators of the platform.
    Admin,
}

/// The rule of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who has the right.
    pub least: Least,
    /// What a token must name for it; none: every good token will do.
    pub scope: Option<Scope>,
}

/// The table.
pub const fn rule(action: Action) -> Rule {
    use Action as A;
    use Least::{Admin, Role as In, SignedIn};
    let (least, scope) = match action {
        A::ViewSelf => (SignedIn, None),
        A::ManageSelf | A::CreateTeam => (SignedIn, Some(Scope::Admin)),
        A::ViewPlatform => (SignedIn, Some(Scope::Read)),
        A::ViewTeam => (In(Role::Viewer), Some(Scope::Read)),
        A::LeaveTeam => (In(Role::Viewer), Some(Scope::Admin)),
        A::ReadConfig => (In(Role::Developer), Some(Scope::Read)),
        A::CreateService | A::ChangeService | A::ChangeConfig | A::ManageRoutes => (In(Role::Developer), Some(Scope::Write)),
        A::DeleteService => (In(Role::Owner), Some(Scope::Write)),
        A::Deploy | A::Scale | A::CancelRun | A::RetryRun | A::ApproveRun => (In(Role::Developer), Some(Scope::Deploy)),
        A::GitRead => (In(Role::Viewer), Some(Scope::Git)),
        A::GitWrite => (In(Role::Developer), Some(Scope::Git)),
        A::ManageTeam => (In(Role::Owner), Some(Scope::Admin)),
        A::InspectPlatform => (Admin, Some(Scope::Read)),
        A::AdminPlatform => (Admin, Some(Scope::Admin)),
        A::ReadMetrics => (Admin, Some(Scope::Metrics)),
    };
    Rule { least, scope }
}

impl Action {
    /// All of them, for tables and tests.
    pub const ALL: [Self; 23] = [
        Self::ViewSelf,
        Self::ManageSelf,
        Self::CreateTeam,
        Self::ViewTeam,
        Self::LeaveTeam,
        Self::ManageTeam,
        Self::CreateService,
        Self::ChangeService,
        Self::DeleteService,
        Self::Deploy,
        Self::Scale,
        Self::ReadConfig,
        Self::ChangeConfig,
        Self::CancelRun,
        Self::RetryRun,
        Self::ApproveRun,
        Self::GitRead,
        Self::GitWrite,
        Self::ManageRoutes,
        Self::ViewPlatform,
        Self::InspectPlatform,
        Self::AdminPlatform,
        Self::ReadMetrics,
    ];
}

/// Why not, or that it is fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Allowed.
    Yes,
    /// Not in the team, or the token is bound to another: the thing is not to be known of.
    Unknown,
    /// In the team with a lower role than this.
    NeedsRole(Role),
    /// Not an administrator.
    NeedsAdmin,
    /// The token does not name this scope.
    NeedsScope(Scope),
    /// The token is bound to one team, and this is beyond it.
    Bound,
}

/// Judges. `team` is the team the thing belongs to; none for the platform and oneself.
pub fn judge(actor: &Actor, action: Action, team: Option<&TeamId>) -> Verdict {
    let Rule { least, scope } = rule(action);
    let (scopes, bound) = match &actor.credential {
        Credential::System => return Verdict::Yes,
        Credential::Session => (None, None),
        Credential::Token { scopes, team, .. } => (Some(scopes), team.as_ref()),
    };
    let admin = actor.platform == PlatformRole::Admin;
    match (least, team) {
        (Least::Role(_), Some(team)) if bound.is_some_and(|bound| bound != team) => return Verdict::Unknown,
        (Least::Role(_), Some(_)) if admin => {}
        (Least::Role(least), Some(team)) => match actor.role_in(team) {
            None => return Verdict::Unknown,
            Some(role) if role < least => return Verdict::NeedsRole(least),
            Some(_) => {}
        },
        (Least::Role(_), None) => return Verdict::Unknown,
        (Least::Admin, _) if !admin => return Verdict::NeedsAdmin,
        (Least::SignedIn, _) if actor.user.is_none() => return Verdict::Unknown,
        (Least::Admin | Least::SignedIn, _) if bound.is_some() && matches!(scope, Some(Scope::Admin | Scope::Metrics)) => {
            return Verdict::Bound;
        }
        (Least::Admin | Least::SignedIn, _) => {}
    }
    match (scopes, scope) {
        (Some(held), Some(needed)) if !held.contains(&needed) => Verdict::NeedsScope(needed),
        _ => Verdict::Yes,
    }
}

#[cfg(test)]
mod tests {
    use app::model::{TokenId, UserId};

    use super::*;

    fn actor(platform: PlatformRole, roles: &[(&str, Role)], credential: Credential) -> Actor {
        Actor {
            user: Some(UserId::from_text("u")),
            name: "Ada".into(),
            platform,
            roles: roles.iter().map(|(team, role)| (TeamId::from_text(*team), *role)).collect(),
            credential,
            request: String::new(),
            peer: None,
        }
    }

    fn token(scopes: &[Scope], team: Option<&str>) -> Credential {
        Credential::Token { id: TokenId::from_text("t"), scopes: scopes.to_vec(), team: team.map(TeamId::from_text) }
    }

    #[test]
    fn the_verdicts_of_people() {
        use Action as A;
        let of = |role| actor(PlatformRole::None, &[("a", role)], Credential::Session);
        let (viewer, developer, owner) = (of(Role::Viewer), of(Role::Developer), of(Role::Owner));
        let admin = actor(PlatformRole::Admin, &[], Credential::Session);
        let (a, b) = (TeamId::from_text("a"), TeamId::from_text("b"));
        for (who, action, team, verdict) in [
            (&viewer, A::ViewTeam, Some(&a), Verdict::Yes),
            (&viewer, A::ViewTeam, Some(&b), Verdict::Unknown),
            (&viewer, A::ReadConfig, Some(&a), Verdict::NeedsRole(Role::Developer)),
            (&viewer, A::Deploy, Some(&a), Verdict::NeedsRole(Role::Developer)),
            (&viewer, A::GitRead, Some(&a), Verdict::Yes),
            (&viewer, A::GitWrite, Some(&a), Verdict::NeedsRole(Role::Developer)),
            (&developer, A::Deploy, Some(&a), Verdict::Yes),
            (&developer, A::Deploy, Some(&b), Verdict::Unknown),
            (&developer, A::DeleteService, Some(&a), Verdict::NeedsRole(Role::Owner)),
            (&developer, A::ManageTeam, Some(&a), Verdict::NeedsRole(Role::Owner)),
            (&owner, A::ManageTeam, Some(&a), Verdict::Yes),
            (&owner, A::AdminPlatform, None, Verdict::NeedsAdmin),
            (&owner, A::InspectPlatform, None, Verdict::NeedsAdmin),
            (&owner, A::ViewPlatform, None, Verdict::Yes),
            (&owner, A::ViewTeam, None, Verdict::Unknown),
            (&admin, A::ManageTeam, Some(&b), Verdict::Yes),
            (&admin, A::AdminPlatform, None, Verdict::Yes),
        ] {
            assert_eq!(judge(who, action, team), verdict, "{:?} {action:?} {team:?}", who.roles);
        }
    }

    #[test]
    fn a_token_grants_what_it_names_and_no_more() {
        let a = TeamId::from_text("a");
        for action in Action::ALL {
            let needed = rule(action).scope;
            let team = matches!(rule(action).least, Least::Role(_)).then_some(&a);
            for scope in Scope::ALL {
                let who = actor(PlatformRole::Admin, &[("a", Role::Owner)], token(&[scope], None));
                let expected = match needed {
                    Some(needed) if needed != scope => Verdict::NeedsScope(needed),
                    _ => Verdict::Yes,
                };
                assert_eq!(judge(&who, action, team), expected, "{action:?} {scope:?}");
            }
        }
    }

    #[test]
    fn a_bound_token_knows_its_team_only() {
        let who = actor(PlatformRole::Admin, &[("a", Role::Owner), ("b", Role::Owner)], token(&Scope::ALL, Some("a")));
        let (a, b) = (TeamId::from_text("a"), TeamId::from_text("b"));
        assert_eq!(judge(&who, Action::Deploy, Some(&a)), Verdict::Yes);
        assert_eq!(judge(&who, Action::Deploy, Some(&b)), Verdict::Unknown);
        for action in [Action::CreateTeam, Action::ManageSelf, Action::AdminPlatform, Action::ReadMetrics] {
            assert_eq!(judge(&who, action, None), Verdict::Bound);
        }
    }

    #[test]
    fn berth_itself_may() {
        for action in Action::ALL {
            assert_eq!(judge(&Actor::system("test"), action, None), Verdict::Yes);
        }
    }
}
